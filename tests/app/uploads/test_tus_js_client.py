"""tus-js-client, which Uppy is built on, uploads, resumes and terminates."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent / "tus_js_client"
SIZE = 3_000_000


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The script with the client it needs, in the version that the lock file names."""
    folder = tmp_path_factory.mktemp("tus_js_client")
    for file in HERE.iterdir():
        shutil.copy(file, folder)
    try:
        command = ["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=True)
        subprocess.run(["node", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        message = f"tus-js-client could not be installed: whether it can upload was NOT tested ({error})"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder / "upload.js"


@pytest.fixture
def video(tmp_path, make_video):
    path = tmp_path / "walk.mp4"
    path.write_bytes(make_video(SIZE))
    return path


@pytest.fixture
def upload(quay, script, video):
    def run(**options):
        given = {
            "endpoint": f"{quay.http.base_url}uploads",
            "file": str(video),
            "key": quay.key,
            "projectId": 1,
            "retryDelays": [0, 100, 300, 1000],
            **options,
        }
        child = subprocess.run(["node", script, json.dumps(given)], capture_output=True, text=True, timeout=120)
        assert child.stdout, child.stderr
        return json.loads(child.stdout)

    return run


def check(quay, said, video):
    """The upload is finished, and the video has the file's bytes."""
    assert said["outcome"] == "finished", json.dumps(said)
    shown = quay.http.get(f"/videos/{said['video']}").json()
    assert shown["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()
    assert shown["filename"] == "walk.mp4"


@contextmanager
def bad_line(target, seed):
    """The port of a proxy whose connections break off after a random number of bytes, but for the first ones."""
    rng, sockets = random.Random(seed), []

    def carry(source, sink, budget):
        with suppress(OSError):
            while budget > 0 and (data := source.recv(min(65_536, budget))):
                sink.sendall(data)
                budget -= len(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve():
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(target)
                sockets.extend((near, far))
                budget = rng.randrange(1500, SIZE // 3)
                for ends in ((near, far, budget), (far, near, 2**40)):
                    threading.Thread(target=carry, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], sockets
        listener.shutdown(socket.SHUT_RDWR)
    for one in sockets:
        one.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunkSize": 500_000},
        {"uploadDataDuringCreation": True, "chunkSize": 1_000_000},
        {"uploadDataDuringCreation": True},
        {"uploadLengthDeferred": True, "stream": True, "chunkSize": 700_000},
        {"overridePatchMethod": True, "chunkSize": 1_000_000},
    ],
    ids=["whole", "chunks", "first chunk with the beginning", "all with the beginning", "deferred", "overridden"],
)
def test_uploads(quay, upload, video, options):
    check(quay, upload(**options), video)


def test_resumes_what_was_stopped(quay, upload, video):
    stopped = upload(stopAt=SIZE // 2, chunkSize=400_000)
    assert stopped["outcome"] == "stopped"
    resumed = upload(uploadUrl=stopped["url"], chunkSize=400_000)
    check(quay, resumed, video)
    assert resumed["requests"][0] == "HEAD 200"
    assert resumed["requests"].count("PATCH 204") < SIZE / 400_000
    again = upload(uploadUrl=stopped["url"])
    assert (again["outcome"], again["requests"]) == ("finished", ["HEAD 200"])
    check(quay, again, video)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_line(quay, upload, video, seed):
    target = (quay.http.base_url.host, quay.http.base_url.port)
    with bad_line(target, seed) as (port, sockets):
        said = upload(endpoint=f"http://127.0.0.1:{port}/api/v1/uploads")
        check(quay, said, video)
        assert said["requests"].count("HEAD 200") >= 2
        assert len(sockets) > 6


def test_terminates(quay, upload):
    said = upload(stopAt=SIZE // 2, terminate=True, chunkSize=400_000)
    assert said["outcome"] == "stopped"
    assert said["requests"][-1] == "DELETE 204"
    said = upload(uploadUrl=said["url"], endpoint=None)
    assert said["outcome"] == "failed"
    assert said["requests"] == ["HEAD 410"]


def test_what_is_refused_is_told(upload, video):
    assert "there is no project 99" in upload(projectId=99)["error"]
    assert "not known" in upload(key="pt_1_x")["error"]
    video.write_bytes(b"no video" * 1000)
    said = upload()
    assert "not a video" in said["error"]
    assert said["requests"] == ["POST 201", "PATCH 422"]
