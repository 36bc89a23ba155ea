"""Objects are kept whole or not at all, in a folder and in a bucket."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import httpx2
import numpy as np
import obstore
import pytest
from obstore.store import from_url

from app.errors import DamagedObject, Unreachable
from app.settings import Settings
from app.storage import Storage
from tests.services import free_port


@pytest.fixture
def storage(tmp_path):
    return Storage((tmp_path / "a folder with spaces").as_uri(), tmp_path / "scratch")


def files(storage):
    return [path for folder in (storage._root, storage._scratch) for path in folder.rglob("*") if path.is_file()]


def test_what_was_put_is_found_under_its_digest(storage):
    stored = storage.put(b"hello")
    assert stored.size == 5
    assert storage.get(stored.sha256) == storage.file(stored.sha256).read_bytes() == b"hello"
    assert storage.put(b"hello") == stored
    assert len(files(storage)) == 1
    assert storage.has(stored.sha256)
    for _ in range(2):
        storage.discard(stored.sha256)
        assert files(storage) == []
        assert not storage.has(stored.sha256)


def test_what_is_not_kept_leaves_nothing(storage):
    with storage.receive() as incoming:
        incoming.write(b"hello")
        assert sorted(path.suffix for path in files(storage)) == [".lock", ".part"]
    assert files(storage) == []
    with pytest.raises(RuntimeError), storage.receive() as incoming:
        raise RuntimeError
    assert files(storage) == []


def test_what_a_killed_process_left_is_swept_a_day_later(tmp_path):
    storage = Storage((tmp_path / "objects").as_uri(), tmp_path / "scratch")
    old, fresh = (tmp_path / "scratch" / name for name in ("old.part", "fresh.part"))
    for path in (old, fresh):
        path.write_bytes(b"x")
    os.utime(old, (0, 0))
    storage.sweep()
    assert not old.exists()
    assert fresh.exists()


@pytest.fixture
def remote(bucket, tmp_path):
    return Storage(bucket, tmp_path / "scratch")


def test_objects_in_a_bucket(remote, tmp_path):
    data = os.urandom(12 * 2**20)
    stored = remote.put(data)
    assert remote.put(data) == stored
    assert remote.get(stored.sha256) == data
    copy = remote.file(stored.sha256)
    assert copy.read_bytes() == data
    assert remote.file(stored.sha256) == copy
    assert not list((tmp_path / "scratch").glob("*.part"))
    remote.discard(stored.sha256)
    with pytest.raises(FileNotFoundError):
        remote.get(stored.sha256)


def test_an_object_that_was_damaged_in_the_bucket_is_noticed(remote, bucket):
    stored = remote.put(b"hello")
    obstore.put(from_url(bucket), f"sha256/{stored.sha256[:2]}/{stored.sha256}", b"help")
    with pytest.raises(DamagedObject):
        remote.get(stored.sha256)
    with pytest.raises(DamagedObject):
        remote.file(stored.sha256)


def test_several_objects_come_in_the_order_asked_for(remote, storage):
    for store in (remote, storage):
        names = [store.put(f"object {number}".encode()).sha256 for number in range(30)]
        names.reverse()
        assert [data for _, data in store.get_all(names)] == [
            f"object {number}".encode() for number in range(29, -1, -1)
        ]
        assert list(store.get_all([])) == []
        with pytest.raises(FileNotFoundError):
            list(store.get_all([*names, "0" * 64]))


def test_what_is_ended_on_its_way_to_a_bucket_is_not_there(remote, tmp_path):
    """Whoever cancels an export does not wait for its file to go up, nor one who cancels an ingest for it to come."""
    data = np.random.default_rng(0).bytes(20 << 20)
    (tmp_path / "large").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()

    class Enough(Exception):
        pass

    def ending(after):
        left = iter(range(after))

        def step():
            if next(left, None) is None:
                raise Enough

        return step

    for known, after in ((None, 5), (None, 30), (sha256, 12)):
        with pytest.raises(Enough):
            remote.adopt(tmp_path / "large", known, ending(after))
        assert not remote.has(sha256)
    assert remote.adopt(tmp_path / "large").sha256 == sha256
    with pytest.raises(Enough):
        remote.file(sha256, ending(1))
    assert remote.file(sha256).read_bytes() == data
    assert not list((tmp_path / "scratch").glob("*.part"))


def test_an_object_in_a_bucket_has_an_address_for_browsers(remote, storage, bucket, s3_address, tmp_path):
    stored = remote.put(b"hello")
    address = remote.address(stored.sha256)
    assert address.startswith(s3_address)
    assert int(parse_qs(urlparse(address).query)["X-Amz-Expires"][0]) <= 300
    part = httpx2.get(address, headers={"Range": "bytes=1-2"}, timeout=60)
    assert (part.status_code, part.content) == (206, b"el")
    abroad = Storage(bucket, tmp_path / "abroad", public_endpoint="https://objects.example.org")
    assert abroad.address(stored.sha256).startswith("https://objects.example.org/")
    assert storage.address(stored.sha256) is None


def test_downloads_can_pass_through_the_api_where_browsers_do_not_reach_the_store(serving, bucket, walker, tmp_path):
    settings = Settings(data_dir=tmp_path / "data", storage_url=bucket, port=0, redirect_downloads=False)
    service = serving(settings)
    video = service.upload(service.project(walker.skeleton), walker.path)
    url = f"/videos/{video['id']}/content"
    original = service.http.get(url, params={"original": True})
    assert (original.status_code, original.content) == (200, walker.path.read_bytes())
    part = service.http.get(url, headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")


def test_a_browser_keeps_no_address_for_longer_than_it_holds(serving, bucket, walker, tmp_path):
    service = serving(Settings(data_dir=tmp_path / "data", storage_url=bucket, port=0))
    video = service.upload(service.project(walker.skeleton), walker.path)
    url = f"/videos/{video['id']}/content"
    proxy, original = service.http.get(url), service.http.get(url, params={"original": True})
    assert (proxy.status_code, original.status_code) == (307, 307)
    assert proxy.headers["cache-control"] == "private, max-age=60"
    assert original.headers["cache-control"] == "no-store"
    trail = service.http.get("/audit", params={"kind": "video.download"}).json()["items"]
    assert [entry["video_id"] for entry in trail] == [video["id"]]


def test_the_loop_with_everything_in_a_bucket(serving, bucket, walker, tmp_path):
    service = serving(Settings(data_dir=tmp_path / "data", storage_url=bucket, port=0))
    video = service.upload(service.project(walker.skeleton), walker.path)
    assert video["status"] == "ready"
    track = service.track(video)
    labels = [service.label(frame, track["id"], walker.tracks[1]) for frame in (0, 20, 44)]
    url = f"/videos/{video['id']}"
    assert service.http.put(f"{url}/labels", json={"labels": labels}).status_code == 200
    job = service.http.post(f"{url}/propagations", json={"engine": "flow"}).json()
    assert service.finished(job)["state"] == "succeeded"
    poses = service.http.get(f"{url}/labels", params={"layer": "merged"}).json()["labels"]
    assert [pose["frame_index"] for pose in poses] == list(range(45))
    assert service.http.get(f"{url}/frames/7").status_code == 200
    original = service.http.get(f"{url}/content", params={"original": True})
    assert original.status_code == 307
    assert httpx2.get(original.headers["Location"], timeout=60).content == walker.path.read_bytes()
    export = service.http.post(
        f"/projects/{video['project_id']}/exports", json={"format": "coco", "include": ["pseudo"]}
    )
    done = service.finished(export.json())
    assert service.http.get(f"/exports/{done['result']['export_id']}/content").status_code == 200
    assert not (tmp_path / "data" / "storage").exists()


@pytest.mark.slow
def test_a_bucket_that_does_not_answer_is_said_to_be_away(bucket, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    storage = Storage(bucket, tmp_path)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="storage of the server does not answer"):
        storage.put(b"anything")
    assert time.monotonic() - began < 60
    with pytest.raises(Unreachable):
        storage.get("0" * 64)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class _Forgetful(BaseHTTPRequestHandler):
    """A store that begins a transfer, refuses its parts, and knows nothing of it when it is called off."""

    def _answer(self, status, body=b""):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self._answer(200, b"<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>")

    def do_PUT(self):
        self._answer(400)

    def do_DELETE(self):
        self._answer(404)

    def log_message(self, *_):
        pass


def test_a_transfer_that_broke_off_and_is_forgotten_is_no_missing_object(bucket, tmp_path, monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Forgetful)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    try:
        with pytest.raises(Unreachable, match="storage of the server does not answer"):
            Storage(bucket, tmp_path / "scratch").put(b"x" * 100_000)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
