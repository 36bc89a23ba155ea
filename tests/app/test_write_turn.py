"""Those who write to one file take turns, across processes, and nobody is left to wait for the dead or the stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from app.write_turn import WriteTurn

HOLD = """
import sys, time
from pathlib import Path
from app.write_turn import WriteTurn
WriteTurn(Path(sys.argv[1])).take(10)
print("mine", flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "turn"


@pytest.fixture
def holder(path):
    """Another process whose turn it is."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "mine\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_one_at_a_time(path):
    turn, inside, most = WriteTurn(path), [], []

    def work():
        for _ in range(50):
            descriptor = turn.take(60)
            inside.append(1)
            most.append(len(inside))
            inside.pop()
            os.close(descriptor)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}
    assert len(most) == 200


def test_who_waits_is_next_when_the_other_process_dies(path, holder):
    taken = []
    thread = threading.Thread(target=lambda: taken.append(WriteTurn(path).take(60)))
    thread.start()
    time.sleep(0.2)
    assert not taken
    holder.kill()
    thread.join(timeout=60)
    os.close(taken[0])


def test_nobody_waits_for_ever_and_who_gave_up_blocks_nobody(path, holder):
    os.kill(holder.pid, signal.SIGSTOP)
    assert WriteTurn(path).take(0.1) is None
    holder.kill()
    holder.wait()
    os.close(WriteTurn(path).take(60))
    os.close(WriteTurn(path).take(60))


def test_a_turn_tells_how_long_it_has_been_kept(path, holder):
    turn = WriteTurn(path)
    assert 0 <= turn.held() < 60
    os.utime(path, (time.time() - 100, time.time() - 100))
    assert 100 <= turn.held() < 160
    holder.kill()
    holder.wait()
    assert turn.held() == 0
