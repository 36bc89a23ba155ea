"""The server is killed at random moments of an upload, and another one goes on where the first one was."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest

pytestmark = pytest.mark.slow

SIZE = 3_000_000
KILLS = 4


@contextmanager
def server(folder):
    """A server process, killed at the end without a word."""
    command = [sys.executable, "-m", "cli.main", "serve", "--data-dir", str(folder), "--port", "0", "--json"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(child.stdout.readline())
        key = Path(said["key_file"]).read_text().strip()
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=f"{said['address']}/api/v1", headers=headers, timeout=60) as http:
            yield SimpleNamespace(http=http, key=key, kill=child.kill)
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.fixture
def folder(tmp_path, walker):
    with server(tmp_path) as service:
        body = {"name": "p", "skeleton": {"name": "s", "keypoints": walker.skeleton.keypoints}}
        assert service.http.post("/projects", json=body).status_code == 201
    return tmp_path


def test_a_server_killed_while_bytes_arrive(folder, client_of_tus, make_video):
    rng, data, url, known = random.Random(3), make_video(SIZE), None, 0
    for _ in range(KILLS):
        with server(folder) as service:
            tus = client_of_tus(service)
            url = url or tus.begin(SIZE)
            offset = tus.offset(url)
            assert offset >= known
            with tus.pushing(url, offset, SIZE - offset) as connection:
                connection.sendall(data[offset : offset + SIZE // (KILLS + 1)])
                until = time.monotonic() + 0.1 + rng.random() / 5
                while time.monotonic() < until:
                    known = tus.offset(url)
                service.kill()
    with server(folder) as service:
        tus = client_of_tus(service)
        offset = tus.offset(url)
        assert offset >= known > SIZE // 3
        assert tus.patch(url, data[offset:], offset).headers["posetween-video"]
        assert tus.video(url)["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_server_killed_while_an_upload_becomes_a_video(folder, client_of_tus, make_video):
    rng, uploads = random.Random(4), {}
    for _ in range(KILLS):
        with server(folder) as service:
            data = make_video(SIZE)
            tus = client_of_tus(service)
            url = tus.begin(SIZE)
            uploads[url] = (data, hashlib.sha256(data).hexdigest())
            with tus.pushing(url, 0, SIZE) as connection:
                connection.sendall(data)
                time.sleep(rng.random() * 0.6)  # as long as it takes to write, probe, store and write down
                service.kill()
    with server(folder) as service:
        tus = client_of_tus(service)
        for url, (data, digest) in uploads.items():
            if (offset := tus.offset(url)) < SIZE:
                assert tus.patch(url, data[offset:], offset).status_code == 204
            video = tus.video(url)
            assert video["sha256"] == digest
            original = service.http.get(f"/videos/{video['id']}/content", params={"original": 1})
            assert hashlib.sha256(original.content).hexdigest() == digest
        assert len(service.http.get("/projects/1/videos").json()["items"]) == KILLS
