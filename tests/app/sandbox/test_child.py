"""A child that a file has taken over reaches nothing: it is tried from within, by ``intruder``."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from app.sandbox import child
from app.sandbox.confinement import Confinement, protections

MEMORY = 2**31
LARGEST = 4096
DONE = {"read the input", "write in its folder", "begin a thread"}
BY_LANDLOCK = {
    "read a secret",
    "list its folder",
    "read the environment of the parent",
    "overwrite the input",
    "overwrite a secret",
    "write beside its folder",
    "write to /tmp",
    "move its file out",
    "link a secret",
    "make a symbolic link",
    "make a folder",
}
BY_LIMITS = {"write a large file", "open many files"}
# Root may raise its limits; in a container as we ship it nobody is root.
BY_USER = {"raise a limit"} if os.geteuid() else set()


@pytest.fixture(scope="module")
def came(tmp_path_factory):
    """What came of each attempt."""
    root = tmp_path_factory.mktemp("intruded")
    scratch, secret, given = root / "scratch" / "mine", root / "data" / "admin.key", root / "data" / "video.mp4"
    for folder in (scratch, secret.parent):
        folder.mkdir(parents=True)
    secret.write_bytes(b"secret")
    given.write_bytes(b"given")
    confinement = Confinement(
        MEMORY,
        20,
        file_bytes=LARGEST,
        readable=(str(given), str(Path(__file__).parents[2])),
        writable=(str(scratch),),
    )
    os.environ["POSETWEEN_DATABASE_URL"] = "postgresql://posetween:s3cr3t@database/posetween"
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            task = {"folder": str(scratch), "secret": str(secret), "input": str(given), "file_bytes": LARGEST}
            task["port"] = listener.getsockname()[1]
            with child.start("tests.app.sandbox.intruder", task, confinement) as process:
                said, _ = process.communicate(timeout=60)
    finally:
        del os.environ["POSETWEEN_DATABASE_URL"]
    assert process.returncode == 0
    assert secret.read_bytes() == b"secret"
    assert given.read_bytes() == b"given"
    assert sorted(path.name for path in scratch.parent.iterdir()) == ["mine"]
    return json.loads(said)


def needs(what):
    if not protections()[what]:
        message = f"this kernel has no {what}: what it keeps children from was NOT tested"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)


def test_what_it_is_for_works(came):
    assert {name: came[name] for name in DONE} == dict.fromkeys(DONE, "done")


def test_its_environment_holds_nothing_of_ours(came):
    assert set(came["environment"]) <= {"PATH", "LANG", "PYTHONPATH", "LC_CTYPE"}


def test_it_gets_no_privileges_and_not_more_than_its_limits(came):
    assert came["no new privileges"]
    attempts = BY_LIMITS | BY_USER
    assert [name for name in attempts if came[name] == "done"] == []
    assert came["write a large file"] == "EFBIG"
    assert came["open many files"] == "EMFILE"


def test_it_sees_no_file_but_its_own(came):
    needs("landlock")
    assert [name for name in BY_LANDLOCK if came[name] not in ("EACCES", "EXDEV", "EPERM")] == []


def test_it_reaches_no_network_no_program_and_no_other_process(came):
    needs("seccomp")
    others = set(came) - DONE - BY_LANDLOCK - BY_LIMITS - {"environment", "no new privileges", "raise a limit"}
    assert len(others) == 10
    assert {name: came[name] for name in others} == dict.fromkeys(others, "EPERM")


def test_its_code_is_found_wherever_it_is_begun(tmp_path):
    command = [
        *(sys.executable, "-c"),
        "from app.videos.probe import probe; from pose.decoder import Limits; from pathlib import Path;"
        "Path('x').write_bytes(b'no video'); print(probe(Path('x'), Limits(), 2**31))",
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(child.__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "cannot be read as a video" not in done.stdout
    assert done.stdout.strip()


def test_every_child_of_ours_for_strangers_files_is_confined(service, walker, tmp_path):
    """Of whatever a service and its worker begin while a video arrives, is ingested and is looked at."""
    seen = {}
    # Other tests of this process may have left some, such as the resource tracker of multiprocessing.
    earlier = {process.pid for process in psutil.Process().children(recursive=True)}

    def look():
        for process in psutil.Process().children(recursive=True):
            if process.pid in earlier:
                continue
            try:
                words = process.cmdline()
                environment = process.environ()
            except psutil.Error:
                continue
            if words[:1] == [sys.executable]:
                seen[process.pid] = (words, environment)

    watching = [True]

    def watch():
        while watching:
            look()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        video = service.upload(service.project(walker.skeleton), walker.path)
        assert service.http.get(f"/videos/{video['id']}/frames/3").status_code == 200
        look()
    finally:
        watching.clear()
        thread.join()
    modules = {words[4] for words, _ in seen.values() if "app.sandbox.child" in words}
    assert modules == {"app.videos.probe", "worker.kinds.ingest_child", "app.videos.frame_child"}
    assert all("app.sandbox.child" in words for words, _ in seen.values()), seen
    assert all(set(environment) <= {"PATH", "LANG", "PYTHONPATH", "LC_CTYPE"} for _, environment in seen.values())
