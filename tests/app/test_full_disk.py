"""A full disk refuses what it has no room for, keeps nothing of it, and works again once there is room."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import numpy as np
import pytest
from sqlalchemy import update

from app.database import connect
from app.disk import reserve
from app.errors import NoSpace
from app.exports.service import EXPORT
from app.settings import Settings
from app.storage import Storage
from app.tables import Job
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter
from worker.registry import load

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
    if runs("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder):
        return True
    with image.open("wb") as file:
        file.truncate(SIZE)
    return runs("mkfs.ext4", "-q", image) and runs("mount", "-o", "loop", image, folder)


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
def full(folder, spare=None, left=0):
    """Fill the disk for the length of a block: but for some bytes, or up to the reserve with some to spare."""
    spare = left if spare is None else spare + reserve(folder)
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


def sent_before(filled, service, folder, data, size):
    """A body of which all bytes arrive before somebody else fills the disk, up to what a file needs that is renamed."""
    yield data
    deadline = time.monotonic() + 60
    while size not in {path.stat().st_size for path in service.settings.scratch_dir.rglob("*") if path.is_file()}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    filled.enter_context(full(folder, left=12_288))


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
    with ExitStack() as filled:
        body = sent_before(filled, cramped, small_disk, data, len(data))
        refused(cramped.http.post("/projects/1/videos", content=body), 507)
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
    with ExitStack() as filled:
        body = sent_before(filled, cramped, small_disk, data[offset:], len(data))
        refused(tus(cramped, "PATCH", url, body, Upload_Offset=offset, Content_Type=kind), 507)
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
    shrink_log(cramped)
    with full(small_disk, spare=len(data) // 2):
        for attempt, state in ((1, "queued"), (2, "queued"), (3, "failed")):
            # What an attempt tells of its progress makes the log longer: there shall be room to say how it ends.
            shrink_log(cramped)
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


def test_a_job_that_cannot_write_says_why(cramped, small_disk, monkeypatch):
    def work(context):
        with full(small_disk), context.writing() as session:
            session.execute(update(Job).where(Job.id == context.held.job_id).values(error="x" * 2**20))

    monkeypatch.setattr("worker.execute.load", lambda kind: work if kind == EXPORT else load(kind))
    job = cramped.http.post("/projects/1/exports", json={}).json()
    shrink_log(cramped)
    cramped.work()
    shown = cramped.http.get(f"/jobs/{job['id']}").json()
    assert (shown["state"], shown["attempt"]) == ("queued", 1)
    assert "the disk of the server is full" in shown["error"]
    cramped.http.post(f"/jobs/{job['id']}/cancel")


def files(folder):
    return {path for part in ("objects", "scratch") for path in (folder / part).rglob("*") if path.is_file()}


def test_no_room_is_an_error_of_its_own(small_disk, tmp_path):
    storage = Storage((small_disk / "objects").as_uri(), small_disk / "scratch")
    before = files(small_disk)
    with full(small_disk), pytest.raises(NoSpace):
        storage.put(bytes(2**20))
    assert files(small_disk) == before


def test_what_a_full_disk_still_took_is_counted(small_disk):
    storage = Storage((small_disk / "objects").as_uri(), small_disk / "scratch")
    data = os.urandom(2**20)
    with full(small_disk, spare=2**19), storage.receive() as incoming:
        with pytest.raises(NoSpace):
            incoming.write(data)
        kept = incoming.path.read_bytes()
        assert 0 < len(kept) == incoming.size < len(data)
        assert incoming.digest() == hashlib.sha256(kept).digest()


def test_an_upload_that_filled_the_disk_can_be_ended(cramped, small_disk):
    data = noise(15)
    begun = tus(cramped, "POST", "/api/v1/uploads", Upload_Length=2 * len(data), Upload_Metadata="project_id MQ==")
    url, kind = begun.headers["location"], "application/offset+octet-stream"
    assert tus(cramped, "PATCH", url, data, Upload_Offset=0, Content_Type=kind).status_code == 204
    shrink_log(cramped)
    with full(small_disk):
        assert tus(cramped, "DELETE", url).status_code == 204
        assert cramped.http.post("/videos/1/tracks", json={"name": "room again"}).status_code == 201


def test_uploads_leave_a_reserve_in_which_all_else_still_works(cramped, small_disk, refused, wait_for):
    http, upload = cramped.http, "/api/v1/uploads"
    key = http.post("/keys", json={"name": "leaked", "role": "annotator"}).json()["id"]
    export = http.post("/projects/1/exports", json={"format": "coco"}).json()
    begun = tus(cramped, "POST", upload, Upload_Length=8 * SIZE // 10, Upload_Metadata="project_id MQ==")
    if begun.status_code == 507:
        begun = tus(cramped, "POST", upload, Upload_Length=2**20, Upload_Metadata="project_id MQ==")
    url, kind = begun.headers["location"], "application/offset+octet-stream"
    piece = os.urandom(2**20)
    shrink_log(cramped)
    with full(small_disk, spare=2**19):
        kept = reserve(small_disk)
        assert kept == SIZE // 20
        refused(tus(cramped, "PATCH", url, piece, Upload_Offset=0, Content_Type=kind), 507)
        left = os.statvfs(small_disk)
        assert 0.9 * kept < left.f_bavail * left.f_frsize
        health = httpx2.get(f"{root(cramped)}/readyz", timeout=60).json()
        assert health["status"] == "degraded"
        assert f"reserve of {kept} bytes" in health["parts"]["disk"]
        assert f"posetween_disk_reserve_bytes {float(kept)}" in httpx2.get(f"{root(cramped)}/metrics", timeout=60).text
        refused(http.post("/projects/1/videos", content=piece), 507)
        refused(tus(cramped, "POST", upload, Upload_Length=1, Upload_Metadata="project_id MQ=="), 507)
        for frame in range(4):  # a twentieth of a real disk has room for more of SQLite's log
            assert put(cramped, [frame], 3.0).status_code == 200
        assert http.delete(f"/keys/{key}").status_code == 204
        assert http.post(f"/jobs/{export['id']}/cancel").status_code == 200
        assert http.delete("/videos/2").status_code == 202
        assert tus(cramped, "DELETE", url).status_code == 204
    wait_for(lambda: httpx2.get(f"{root(cramped)}/readyz", timeout=60).json()["parts"]["disk"] == "ok")


def root(service):
    return str(service.http.base_url).partition("/api/")[0]


def test_an_export_leaves_the_reserve_alone(cramped, small_disk):
    job = cramped.http.post("/projects/1/exports", json={"format": "coco"}).json()
    shrink_log(cramped)
    with full(small_disk, spare=0):
        cramped.work()
        ended = cramped.http.get(f"/jobs/{job['id']}").json()
        assert ended["state"] == "queued"
        assert "reserve" in ended["error"]
    end_pauses(cramped)
    assert cramped.finished(job)["state"] == "succeeded"
