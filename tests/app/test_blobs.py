"""Objects that nobody refers to are removed, others never; what is missing or damaged is found."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import blobs
from app.database import connect
from app.errors import Busy
from app.settings import Settings
from app.storage import Storage, open_storage
from app.tables import Blob, Lab, Project, Video
from migrations import apply as migrate

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def lab(serving, walker, tmp_path_factory):
    """A service with a video that was labelled, propagated and exported."""
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("lab"), port=0))
    video = service.upload(service.project(walker.skeleton), walker.path)
    track = service.track(video)
    labels = [service.label(frame, track["id"], walker.tracks[1]) for frame in (0, 20, 44)]
    service.http.put(f"/videos/{video['id']}/labels", json={"labels": labels})
    for url, body in (
        (f"/videos/{video['id']}/propagations", {"engine": "linear"}),
        (f"/projects/{video['project_id']}/exports", {"format": "coco", "include": ["human", "pseudo"]}),
    ):
        assert service.finished(service.http.post(url, json=body).json())["state"] == "succeeded"
    return service


@pytest.fixture
def database(lab):
    database = connect(lab.settings.database)
    yield database
    database.dispose()


@pytest.fixture
def storage(lab):
    return open_storage(lab.settings)


@pytest.fixture
def new(database_url, tmp_path):
    """An empty database, of either kind, and an empty storage."""
    database = connect(database_url)
    migrate.upgrade(database)
    yield database, Storage((tmp_path / "objects").as_uri(), tmp_path / "scratch")
    database.dispose()


def age(storage, days=2):
    """Let every object look as if it had been put that long ago."""
    for folder, _, names in os.walk(storage._root):
        for name in names:
            path = os.path.join(folder, name)
            moment = os.stat(path).st_mtime - days * 86400
            os.utime(path, (moment, moment))


def test_nothing_that_a_row_refers_to_is_removed(database, storage):
    age(storage)
    before = list(storage.objects(7))
    assert sum(map(len, before)) >= 6
    assert blobs.collect(database, storage, older_than=DAY) == blobs.Removed(0, 0)
    assert list(blobs.check(database, storage)) == []


def test_what_is_unused_is_removed_a_day_later(database, storage):
    stored = storage.put(b"nobody refers to this")
    with database.session() as session:
        blobs.record(session, storage, stored)
    assert blobs.collect(database, storage, older_than=DAY).objects == 0
    age(storage)
    assert blobs.collect(database, storage, older_than=DAY, dry=True) == blobs.Removed(1, stored.size)
    assert storage.has(stored.sha256)
    assert blobs.collect(database, storage, older_than=DAY) == blobs.Removed(1, stored.size)
    assert not storage.has(stored.sha256)
    assert list(blobs.check(database, storage)) == []


def test_who_records_what_was_just_removed_hears_of_it(database, storage):
    stored = storage.put(b"put, but removed before it was recorded")
    age(storage)
    blobs.collect(database, storage, older_than=DAY)
    with pytest.raises(Busy), database.session() as session:
        blobs.record(session, storage, stored)


def test_an_object_that_many_record_at_the_same_time_is_recorded_once(new):
    database, storage = new
    objects = [storage.put(f"made by all {number}".encode()) for number in range(20)]
    together = threading.Barrier(4, timeout=30)

    def record(_):
        for stored in objects:
            together.wait()
            with database.session() as session:
                blobs.record(session, storage, stored)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(record, range(4)))
    with database.session(readonly=True) as session:
        assert {*session.scalars(select(Blob.sha256))} == {stored.sha256 for stored in objects}


def test_recording_and_removing_at_the_same_time_never_lose_what_was_recorded(new):
    database, storage = new
    names = [f"object {number}".encode() for number in range(40)]
    for name in names:
        storage.put(name)
    age(storage)
    recorded = []

    def write():
        for name in names:
            try:
                with database.session() as session:
                    stored = storage.put(name)
                    blobs.record(session, storage, stored)
                recorded.append(stored.sha256)
            except Busy:
                continue

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        blobs.collect(database, storage, older_than=DAY)
    thread.join()
    assert recorded
    assert all(storage.has(sha256) for sha256 in recorded)


def test_collecting_waits_for_nobody_where_everything_is_used(new):
    database, storage = new
    stored = storage.put(b"about to be referred to")
    with database.session() as session:
        blobs.record(session, storage, stored)
        session.add_all([Lab(id=1, name="lab"), Project(id=1, lab_id=1, name="p")])
        session.flush()
        row = {"project_id": 1, "filename": "f", "slug": "f", "size": stored.size, "status": "ingesting"}
        session.add(Video(sha256=stored.sha256, **row))
    age(storage)
    with database.session() as session:
        blobs.record(session, storage, stored)  # keeps removal out, and would wait for itself
        assert blobs.collect(database, storage, older_than=DAY) == blobs.Removed(0, 0)


def test_everything_unused_is_removed_however_much_it_is(new):
    database, storage = new
    for number in range(50):
        storage.put(b"unused %d" % number)
    age(storage)
    assert blobs.collect(database, storage, older_than=DAY).objects == 50
    assert not [found for found in storage.objects(10) if found]


def test_a_missing_and_a_damaged_object_are_named(database, storage):
    with database.session(readonly=True) as session:
        wanted = sorted(session.scalars(blobs._referred()))
    missing, damaged = storage.file(wanted[0]), storage.file(wanted[1])
    kept = missing.read_bytes(), damaged.read_bytes()
    missing.unlink()
    damaged.write_bytes(b"rot" + kept[1])
    sentences = list(blobs.check(database, storage))
    missing.write_bytes(kept[0])
    damaged.write_bytes(kept[1])
    assert len(sentences) == 2
    assert "missing" in sentences[0]
    assert "damaged" in sentences[1]
    assert list(blobs.check(database, storage)) == []
