"""What the suite does harm with does harm, and only where it shall."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from random import Random

import httpx2
import pytest

from benchmarks.chaos.bystander import Bystander
from benchmarks.chaos.clients import Client
from benchmarks.chaos.journal import Journal, Uploaded, WrittenLabel
from benchmarks.chaos.processes import Process, command
from benchmarks.chaos.s3_proxy import FailingProxy
from benchmarks.chaos.wall_clock import NoCompiler, WallClock, compile_library


@pytest.fixture
def proxy():
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            data = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        proxy = FailingProxy(server.server_address[1], Random(1))
        yield proxy
        proxy.close()
        server.shutdown()
        thread.join()


def put(proxy, data):
    return httpx2.put(f"http://127.0.0.1:{proxy.port}/object", content=data, timeout=1)


def test_a_proxy_that_shall_not_fail_passes_everything_on(proxy):
    data = bytes(range(256)) * 4000
    assert [put(proxy, data).content == data for _ in range(5)] == [True] * 5
    assert proxy.failed == 0


def test_a_proxy_that_shall_fail_answers_500_or_not_at_all(proxy):
    proxy.share = 1.0
    seen = set()
    for _ in range(8):
        try:
            seen.add(put(proxy, b"x").status_code)
        except httpx2.TimeoutException:
            seen.add("silence")
    assert seen == {500, "silence"}
    assert proxy.failed == 8


def test_a_clock_jumps_while_a_process_runs(tmp_path):
    try:
        library = compile_library(tmp_path)
    except NoCompiler as error:
        pytest.skip(str(error))
    clock = WallClock(library, tmp_path / "clock")
    look = "import sqlite3, sys, time\nsql = sqlite3.connect(':memory:')\n"
    look += "for _ in sys.stdin:\n    days = sql.execute(\"select julianday('now')\").fetchone()[0]\n"
    look += "    print(time.time(), (days - 2440587.5) * 86400, time.monotonic(), flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", look],
        env=clock.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    for shift in (0, -3600, 7200):
        clock.jump(shift)
        child.stdin.write("now\n")
        wall, database, monotonic = map(float, child.stdout.readline().split())
        assert [wall, database] == pytest.approx([time.time() + shift] * 2, abs=20)
        assert monotonic == pytest.approx(time.monotonic(), abs=20)
    child.stdin.close()
    child.wait()
    child.stdout.close()


def test_what_was_told_until_a_copy_is_made_does_not_grow():
    journal = Journal()
    label = WrittenLabel(1, 1, 0, 1, ((1.0, 2.0, 2),))
    journal.wrote(label)
    told = journal.so_far()
    journal.wrote(WrittenLabel(1, 2, 0, 1, ((1.0, 2.0, 2),)))
    journal.uploads.append(Uploaded(1, "0" * 64, 1))
    assert (told.labels, told.uploads) == ([label], [])


def test_a_write_of_a_bystander_that_is_not_done_is_counted():
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers["content-length"]))
            done = len(asked) % 2 == 0
            asked.append(done)
            body = b'{"revision": 7, "written": 1}'
            self.send_response(200 if done else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    asked, journal = [], Journal()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = Client(f"http://127.0.0.1:{server.server_address[1]}", "key", journal, Random(1))
        bystander = Bystander(client, 5, 10, lambda: journal)
        with bystander.writing():
            while len(asked) < 6:
                time.sleep(0.01)
        client.close()
        server.shutdown()
        thread.join()
    done = sum(asked)
    assert (len(bystander.taken()), bystander.unanswered) == (done, len(asked) - done)
    assert [(label.video_id, label.revision) for label in journal.labels] == [(5, 7)] * done
    assert bystander.taken() == []


def test_a_process_is_started_again_only_where_it_ended_by_itself(tmp_path):
    process = Process("sleep", command(["sleep", "1000"], {}), tmp_path / "log")
    process.start()
    first = process.pid
    process.kill()
    process.look()
    assert (process.pid, process.ended_by_itself) == (None, 0)
    process.start()
    second = process.pid
    subprocess.run(["kill", "-9", str(second)], check=True)
    while process.pid is not None:
        time.sleep(0.01)
    process.look()
    assert process.pid not in (None, first, second)
    assert process.ended_by_itself == 1
    process.terminate()


def test_a_process_is_ready_when_its_log_says_so_anew(tmp_path):
    process = Process(
        "cat", command(["sh", "-c", "sleep 0.2; echo now at work; sleep 1000"], {}), tmp_path / "log", "work"
    )
    process.start()
    assert not process.is_ready()
    deadline = time.monotonic() + 30
    while not process.is_ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    assert not process.is_ready()
    process.start()
    assert not process.is_ready()
    process.terminate()
