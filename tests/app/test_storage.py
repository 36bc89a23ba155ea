"""A full disk refuses what it has no room for, keeps nothing of it, and works again once there is room."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import numpy as np
import obstore
import pytest
from obstore.store import from_url
from sqlalchemy import update

from app.database import connect
from app.errors import NoSpace, Unreachable
from app.settings import Settings
from app.storage import DamagedObject, Storage
from app.tables import Job
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter
from tests.services import free_port

SIZE = 12 * 2**20
COUNT = 17


def runs(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def mount(folder: Path, image: Path) -> bool:
    """Put a small file system of its own at a folder; tells whether this machine lets us."""
    folder.mkdir()
    if (
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], capture_output=True).returncode
        == 0
    ):
        return True
    with image.open("wb") as file:
        file.truncate(SIZE)
    with suppress(FileNotFoundError):
        made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True)
        return (
            not made.returncode
            and not subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True).returncode
        )
    return False


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    root = tmp_path_factory.mktemp("disk")
    folder = root / "mounted"
    if not mount(folder, root / "image"):
        message = "no small file system could be mounted here: what a full disk does was NOT tested"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(message)
        pytest.skip(message)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def full(folder, spare=0):
    """Fill the disk but for some bytes, for the length of a block."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(ballast, max(0, ballast.stat().st_size - spare))
    try:
        yield
    finally:
        ballast.unlink()


@pytest.fixture(scope="module")
def cramped(serving, small_disk, tmp_path_factory):
    """A service on the small disk with a ready video of one track."""
    path = tmp_path_factory.mktemp("video") / "black.mp4"
    with VideoWriter(path, 25, 64, 48) as writer:
        for _ in range(400):
            writer.write(np.zeros((48, 64, 3), dtype=np.uint8))
    service = serving(Settings(data_dir=small_disk / "data", port=0))
    project = service.project(Skeleton(name="many", keypoints=tuple(f"k{index}" for index in range(COUNT))))
    video = service.upload(project, path)
    assert video["status"] == "ready"
    service.track(video)
    return service


def shrink_log(service):
    """Give back the room that SQLite's write-ahead log has set aside."""
    with closing(sqlite3.connect(service.settings.data_dir / "posetween.db")) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def put(service, frames, x=1.0):
    labels = [{"frame_index": frame, "track_id": 1, "keypoints": [[x, 2.5, 2]] * COUNT} for frame in frames]
    return service.http.put("/videos/1/labels", json={"labels": labels})


def noise(frames=12):
    """A video of a few hundred KiB that does not compress."""
    rng = np.random.default_rng(frames)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "noise.mp4"
        with VideoWriter(path, 25, 160, 120) as writer:
            for _ in range(frames):
                writer.write(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8))
        return path.read_bytes()


def test_an_upload_that_does_not_fit(cramped, small_disk, everything, refused):
    data = noise()
    pieces = [data[start : start + 9999] for start in range(0, len(data), 9999)]
    before = everything(cramped)
    with full(small_disk, spare=len(data) // 2):
        refused(cramped.http.post("/projects/1/videos", content=data), 507)
        refused(
            cramped.http.post("/projects/1/videos", content=iter(pieces)),
            507,
        )
        assert everything(cramped) == before
        assert cramped.http.get("/videos/1").json()["status"] == "ready"
    assert cramped.http.post("/projects/1/videos", content=data).status_code == 201
    cramped.work()


def test_a_file_for_which_the_database_has_no_room_is_not_kept(cramped, small_disk, everything, refused):
    data = noise(13)
    before = everything(cramped)
    shrink_log(cramped)
    with full(small_disk, spare=len(data) + 12_288):
        refused(cramped.http.post("/projects/1/videos", content=data), 507)
        assert everything(cramped) == before
    assert cramped.http.post("/projects/1/videos", content=data).status_code == 201
    cramped.work()


def tus(service, method, url, content=None, **headers):
    named = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    root = str(service.http.base_url).partition("/api/")[0]
    return service.http.request(method, root + url, content=content, headers={"Tus-Resumable": "1.0.0", **named})


def test_an_upload_goes_on_where_the_disk_was_full(cramped, small_disk, refused):
    data = noise(14)
    begun = tus(cramped, "POST", "/api/v1/uploads", Upload_Length=len(data), Upload_Metadata="project_id MQ==")
    assert begun.status_code == 201
    url, kind = begun.headers["location"], "application/offset+octet-stream"
    with full(small_disk, spare=len(data) // 2):
        refused(tus(cramped, "PATCH", url, data, Upload_Offset=0, Content_Type=kind), 507)
        metadata = {"Upload-Length": len(data), "Upload-Metadata": "project_id MQ=="}
        refused(tus(cramped, "POST", "/api/v1/uploads", **metadata), 507)
        offset = int(tus(cramped, "HEAD", url).headers["upload-offset"])
        assert len(data) // 4 < offset < len(data)
    assert tus(cramped, "PATCH", url, data[:0], Upload_Offset=offset, Content_Type=kind).status_code == 204
    shrink_log(cramped)
    with full(small_disk, spare=len(data) - offset + 12_288):
        refused(tus(cramped, "PATCH", url, data[offset:], Upload_Offset=offset, Content_Type=kind), 507)
        assert tus(cramped, "HEAD", url).status_code == 507
    number = tus(cramped, "HEAD", url).headers["posetween-video"]
    assert cramped.http.get(f"/videos/{number}/content", params={"original": 1}).content == data
    cramped.work()


def test_labels_that_do_not_fit(cramped, small_disk, everything, refused):
    assert put(cramped, range(5)).status_code == 200
    before, shown = everything(cramped), cramped.http.get("/videos/1/labels").content
    with full(small_disk):
        answers = [put(cramped, range(400), x) for x in range(8)]
        assert answers[-1].status_code == 507
        for answer in answers:
            refused(answer, 507)
        assert everything(cramped) == before
        assert cramped.http.get("/videos/1/labels").content == shown
        assert cramped.http.get("/videos/1/frames/3").status_code == 200
    assert put(cramped, range(400), 9).json()["written"] == 400


def test_other_writes_on_a_full_disk(cramped, small_disk, everything, refused):
    before = everything(cramped)
    with full(small_disk):
        codes = {cramped.http.post("/videos/1/tracks", json={"name": "x" * 200}).status_code for _ in range(60)}
        assert codes <= {201, 507}
        assert 507 in codes
    assert cramped.http.post("/videos/1/tracks", json={"name": "room"}).status_code == 201
    assert everything(cramped)["label"] == before["label"]


def end_pauses(service):
    database = connect(service.settings.database)
    with database.session() as session:
        session.execute(update(Job).values(lease_until=None))
    database.dispose()


def test_an_ingest_without_room_is_done_when_there_is(cramped, small_disk, everything):
    data = noise(20)
    video = cramped.http.post("/projects/1/videos", content=data).json()
    with full(small_disk, spare=len(data) // 2):
        for attempt, state in ((1, "queued"), (2, "queued"), (3, "failed")):
            cramped.work()
            job = cramped.http.get(f"/jobs/{video['ingest_job_id']}").json()
            assert (job["attempt"], job["state"]) == (attempt, state)
            assert "full" in job["error"]
            end_pauses(cramped)
        shown = cramped.http.get(f"/videos/{video['id']}").json()
        assert "again" in shown["reason"]
        kept = everything(cramped)["files"]
        assert not [name for name, _ in kept if name.startswith("scratch")]
    again = cramped.http.post("/projects/1/videos", content=data)
    assert (again.status_code, again.json()["id"]) == (200, video["id"])
    cramped.work()
    assert cramped.http.get(f"/videos/{video['id']}").json()["status"] == "ready"


def test_a_worker_waits_out_a_database_that_is_full(cramped, small_disk):
    assert put(cramped, [0, 399]).status_code == 200
    job = cramped.http.post("/videos/1/propagations", json={"engine": "linear"}).json()
    shrink_log(cramped)
    with full(small_disk):
        cramped.work()
        assert cramped.http.get(f"/jobs/{job['id']}").json()["state"] == "queued"
    assert cramped.finished(job)["state"] == "succeeded"


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
        assert len(files(storage)) == 1
    assert files(storage) == []
    with pytest.raises(RuntimeError), storage.receive() as incoming:
        raise RuntimeError
    assert files(storage) == []


def test_no_room_is_an_error_of_its_own(small_disk, tmp_path):
    storage = Storage((small_disk / "objects").as_uri(), small_disk / "scratch")
    before = len(files(storage))
    with full(small_disk), pytest.raises(NoSpace):
        storage.put(bytes(2**20))
    assert len(files(storage)) == before


def test_what_a_full_disk_still_took_is_counted(small_disk):
    storage = Storage((small_disk / "objects").as_uri(), small_disk / "scratch")
    data = os.urandom(2**20)
    with full(small_disk, spare=2**19), storage.receive() as incoming:
        with pytest.raises(NoSpace):
            incoming.write(data)
        kept = incoming.path.read_bytes()
        assert 0 < len(kept) == incoming.size < len(data)
        assert incoming.digest() == hashlib.sha256(kept).digest()


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
    part = httpx2.get(address, headers={"Range": "bytes=1-2"})
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
    assert httpx2.get(original.headers["Location"]).content == walker.path.read_bytes()
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
