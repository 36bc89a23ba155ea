import json
import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families


def command(*words):
    return [sys.executable, "-m", "cli.main", *map(str, words)]


@pytest.fixture
def up(tmp_path):
    """`posetween up` on a free port, and what it said of itself."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command("up", "--json", "--port", 0, "--data-dir", tmp_path / "data"), stdout=subprocess.PIPE, stderr=log
        )
    yield process, json.loads(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


def children(process, word):
    """The processes that one began, by a word of their command lines."""
    found = []
    for child in psutil.Process(process.pid).children():
        # One that was just killed is gone, or has no command line any more.
        with suppress(psutil.NoSuchProcess):
            if word in " ".join(child.cmdline()):
                found.append(child)
    return found


def workers(process):
    return children(process, "worker --supervised")


def lane(worker):
    words = worker.cmdline()
    return words[words.index("--lane") + 1]


def signed(about):
    return {"Authorization": f"Bearer {Path(about['key_file']).read_text().strip()}"}


def answering(process):
    return children(process, "spawn_main")


def wait_until(holds, seconds=20):
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_up_serves_with_two_workers_and_stops_all(up, tmp_path):
    process, about = up
    assert httpx2.get(f"{about['address']}/readyz", timeout=60).json()["status"] == "ok"
    me = httpx2.get(f"{about['address']}/api/v1/me", headers=signed(about), timeout=60).json()
    assert me["role"] == "admin"
    key_file = tmp_path / "data" / "admin.key"
    assert about["key_file"] == str(key_file)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    wait_until(lambda: len(workers(process)) == 2)
    both = workers(process)
    assert sorted(lane(worker) for worker in both) == ["all", "quick"]
    wait_until(lambda: (tmp_path / "log").read_text().count("looks for jobs") == 2, 90)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    assert not any(worker.is_running() for worker in both)
    assert "Fatal" not in (tmp_path / "log").read_text()


def test_a_dead_worker_is_replaced_and_the_other_one_stays_and_neither_outlives_the_service(up):
    process, _ = up
    wait_until(lambda: len(workers(process)) == 2)
    for which in ("all", "quick"):
        first = {lane(worker): worker for worker in workers(process)}
        os.kill(first[which].pid, signal.SIGKILL)
        second = wait_until(lambda first=first, which=which: replaced(process, first[which]))
        assert second.keys() == first.keys()
        assert {which} == {name for name in first if second[name] != first[name]}
    both = workers(process)
    assert len(both) == 2
    process.kill()
    wait_until(lambda: not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in both))


def replaced(process, dead):
    """The workers by lane, once there are two without the dead one."""
    found = workers(process)
    return len(found) == 2 and dead not in found and {lane(worker): worker for worker in found}


def test_the_key_stays_the_same(tmp_path):
    from app.settings import Settings
    from cli.serve import prepare

    settings = Settings(data_dir=tmp_path / "data")
    prepare(settings)
    key = settings.admin_key_file.read_text()
    prepare(settings)
    assert settings.admin_key_file.read_text() == key


def test_a_service_on_its_own_keeps_its_key_out_of_logs_and_ends_well(tmp_path):
    process = subprocess.Popen(
        command("serve", "--port", 0, "--data-dir", tmp_path / "data"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = process.stdout.readline() + process.stdout.readline() + process.stdout.readline()
        address = re.search(r"http://\S+", said)[0]
        wait_until(lambda: _answers(address), 60)
        process.send_signal(signal.SIGTERM)
        said += process.communicate(timeout=30)[0]
    finally:
        process.kill()
    key = (tmp_path / "data" / "admin.key").read_text().strip()
    assert str(tmp_path / "data" / "admin.key") in said
    assert key not in said
    assert process.returncode == 0


@pytest.fixture
def several(tmp_path):
    """`posetween serve` with three processes, and where they answer."""
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command("serve", "--json", "--port", 0, "--data-dir", tmp_path / "data", "--processes", 3),
            stdout=subprocess.PIPE,
            stderr=log,
        )
    about = json.loads(process.stdout.readline())
    wait_until(lambda: _answers(about["address"]), 60)
    wait_until(lambda: len(answering(process)) == 3, 60)
    yield process, about
    process.kill()
    process.wait()
    process.stdout.close()


def counted(about):
    """Requests for who one is, as the metrics have it, whichever process is asked for them."""
    for family in text_string_to_metric_families(httpx2.get(f"{about['address']}/metrics", timeout=60).text):
        for sample in family.samples:
            if sample.name == "posetween_request_seconds_count" and sample.labels["route"] == "/api/v1/me":
                return sample.value
    return 0


def test_several_processes_count_as_one_and_who_ends_is_replaced_and_what_it_counted_stays(several):
    process, about = several
    headers = signed(about)
    wait_until(lambda: len(set(counted_by(process))) == 3, 60)
    for _ in range(60):
        assert httpx2.get(f"{about['address']}/api/v1/me", headers=headers, timeout=60).status_code == 200
    assert [counted(about) for _ in range(9)] == [60] * 9
    text = httpx2.get(f"{about['address']}/metrics", timeout=60).text
    assert len(re.findall("^posetween_build_info{", text, re.MULTILINE)) == 1
    assert re.search("^posetween_requests_in_flight 1.0$", text, re.MULTILINE)
    first = answering(process)
    os.kill(first[0].pid, signal.SIGKILL)
    wait_until(lambda: len([child for child in answering(process) if child != first[0]]) == 3, 60)
    assert httpx2.get(f"{about['address']}/api/v1/me", headers=headers, timeout=60).status_code == 200
    assert counted(about) == 61
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


def counted_by(process):
    """The processes that began to count."""
    (folder,) = Path(tempfile.gettempdir()).glob(f"posetween-metrics-{process.pid}-*")
    return [file.stem.rpartition("_")[2] for file in folder.glob("gauge_*.db")]


def test_processes_do_not_outlive_the_one_that_began_them(several):
    process, about = several
    left = answering(process)
    process.kill()
    wait_until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in left))
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{about['address']}/readyz", timeout=60)


def _answers(address):
    with suppress(httpx2.TransportError):
        return httpx2.get(f"{address}/readyz", timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("words", "environment", "sentence"),
    [
        (["serve", "--port", "70000"], {}, "port"),
        (["serve", "--host", "0.0.0.0", "--port", "0"], {"POSETWEEN_AUTH": "0"}, "without authentication"),
        (["up", "--port", "0"], {"POSETWEEN_AUTH": "0", "POSETWEEN_HOST": "::"}, "without authentication"),
        (["serve", "--host", "203.0.113.9", "--port", "0"], {}, "cannot serve"),
        (["serve", "--port", "0", "--storage-url", "nowhere://x"], {}, "cannot serve"),
        (["serve", "--port", "0", "--storage-url", "nowhere://x", "--processes", "2"], {}, "cannot serve"),
    ],
)
def test_what_cannot_be_served_is_said(tmp_path, words, environment, sentence):
    done = subprocess.run(
        command(*words, "--data-dir", tmp_path / "data"),
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
