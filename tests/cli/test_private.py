"""What a lab stores is for the user that runs the service, and no secret is where others of the machine can read."""

from __future__ import annotations

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import psutil
import pytest
from sqlalchemy import make_url

from app.backup import backup, digest_file
from app.settings import Settings
from cli.serve import prepare

PASSWORD, HIDDEN = "s3cr3t-of-the-database", "hunter2-of-the-broker"


def command(*words):
    return [sys.executable, "-m", "cli.main", *map(str, words)]


@contextmanager
def started(*words, folder, **environment):
    """A command that others could read the files of, if it let them."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command(*words), stdout=subprocess.PIPE, stderr=log, env=os.environ | environment, umask=0o022, text=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=30)
        process.kill()
        process.wait()
        process.stdout.close()


def open_to_others(folder):
    """Files and folders that another user could open or enter."""
    paths = [folder, *folder.rglob("*")]
    return [str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()]


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nobody_else_can_open_what_is_kept(tmp_path, walker):
    data = tmp_path / "data"
    with started("up", "--json", "--port", 0, "--data-dir", data, folder=tmp_path) as process:
        about = json.loads(process.stdout.readline())
        key = Path(about["key_file"]).read_text().strip()
        with httpx2.Client(
            base_url=f"{about['address']}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60
        ) as http:
            body = {"name": "p", "skeleton": {"name": "s", "keypoints": ["a"]}}
            project = http.post("/projects", json=body).json()["id"]
            video = http.post(f"/projects/{project}/videos", content=walker.path.read_bytes()).json()["id"]
            wait_until(lambda: http.get(f"/videos/{video}").json()["status"] == "ready")
            assert http.get(f"/videos/{video}/frames/3").status_code == 200
            assert list(data.glob("posetween.db-wal"))
            assert len(list(data.rglob("storage/sha256/*/*"))) > 2
            assert open_to_others(data) == []
        copy = tmp_path / "copy.db"
        words = command("db", "backup", copy, "--data-dir", data)
        subprocess.run(words, check=True, umask=0o022, capture_output=True)
        assert open_to_others(copy) == open_to_others(digest_file(copy)) == []


def test_what_an_older_version_left_open_is_closed(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path}/elsewhere/my.db")
    prepare(settings)
    database = tmp_path / "elsewhere" / "my.db"
    database.chmod(0o644)
    settings.data_dir.chmod(0o755)
    prepare(settings)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700


def test_a_copy_is_private_whoever_calls_for_it(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    prepare(settings)
    backup(settings.database, tmp_path / "copy.db")
    assert open_to_others(tmp_path / "copy.db") == open_to_others(digest_file(tmp_path / "copy.db")) == []


def test_no_command_line_holds_a_password(tmp_path, new_postgres, broker_url):
    url = make_url(new_postgres()).set(password=PASSWORD).render_as_string(hide_password=False)
    secrets = {
        "POSETWEEN_DATABASE_URL": url,
        "POSETWEEN_BROKER_URL": broker_url.replace("redis://", f"redis://:{HIDDEN}@"),
        "POSETWEEN_PROCESSES": "2",
    }
    with started("up", "--json", "--port", 0, "--data-dir", tmp_path / "data", folder=tmp_path, **secrets) as process:
        assert process.stdout.readline()
        wait_until(lambda: len(descendants(process)) >= 4)  # two that answer, two workers
        seen, end = set(), time.monotonic() + 3
        while time.monotonic() < end:
            for child in [psutil.Process(process.pid), *descendants(process)]:
                with suppress(psutil.NoSuchProcess):
                    seen |= set(child.cmdline())
            time.sleep(0.1)
        workers = [child for child in descendants(process) if "--supervised" in child.cmdline()]
        assert {child.environ()["POSETWEEN_DATABASE_URL"] for child in workers} == {url}
    assert "--supervised" in seen
    assert not [word for word in seen if PASSWORD in word or HIDDEN in word]


@pytest.mark.parametrize("as_json", [False, True])
def test_the_key_is_not_printed_into_what_keeps_the_output(tmp_path, as_json):
    words = ["up", "--port", 0, "--data-dir", tmp_path / "data", *(["--json"] if as_json else [])]
    with started(*words, folder=tmp_path) as process:
        lines = [process.stdout.readline()]
        while not as_json and "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
    key = (tmp_path / "data" / "admin.key").read_text().strip()
    said = "".join(lines)
    assert "admin.key" in said
    assert key not in said
    assert as_json or "#token=" not in said
    assert key not in (tmp_path / "log").read_text()


def test_the_key_is_shown_on_a_terminal(tmp_path):
    screen, terminal = pty.openpty()
    with (tmp_path / "log").open("wb") as log:
        words = command("up", "--port", 0, "--data-dir", tmp_path / "data")
        process = subprocess.Popen(words, stdin=terminal, stdout=terminal, stderr=log)
    os.close(terminal)
    said = ""
    try:
        while "Ctrl-C" not in said:
            said += os.read(screen, 4096).decode()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        os.close(screen)
    assert (tmp_path / "data" / "admin.key").read_text().strip() in said
    assert "#token=" in said
