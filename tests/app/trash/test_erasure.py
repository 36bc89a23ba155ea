"""Of what is erased nothing remains: no row, no object, no copy, no name in the audit trail or the logs."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import func, select

from app import blobs
from app.database import connect
from app.file_cache import FileCache
from app.keys import service as keys
from app.settings import Settings
from app.storage import open_storage
from app.tables import (
    ApiKey,
    AuditEntry,
    Blob,
    Checkpoint,
    Discard,
    Erasure,
    Export,
    Idempotency,
    Job,
    JobSegment,
    Lab,
    Measurement,
    Project,
    RunSlab,
    Table,
    Upload,
    Video,
)
from app.trash import rows
from app.trash.erasure import FRESH, UNTOLD, Eraser
from app.trash.leftovers import Leftovers
from tests.app.conftest import client_of
from tests.app.trash.test_service import NAME, Loop
from tests.conftest import serve

NOW = timedelta(0)


@pytest.fixture(params=["sqlite", "postgres"])
def loop(request, walker, pair, plant_checkpoint, tmp_path):
    """A loop of its own, on either database."""
    url = request.getfixturevalue("new_postgres")() if request.param == "postgres" else ""
    running = serve(Settings(data_dir=tmp_path / "data", port=0, database_url=url))
    yield Loop(next(running), walker, pair, plant_checkpoint)
    next(running, None)


@pytest.fixture
def database(loop):
    database = connect(loop.service.settings.database)
    yield database
    database.dispose()


@pytest.fixture
def storage(loop):
    return open_storage(loop.service.settings)


def old_enough(storage):
    """Let every object look as if it had been put a minute ago."""
    for folder, _, names in os.walk(storage._root):
        for name in names:
            path = os.path.join(folder, name)
            os.utime(path, (os.stat(path).st_mtime - 60,) * 2)


def age(storage, sha256, by):
    """Let an object look as if it had been put so long ago."""
    moment = (datetime.now(UTC) - by).timestamp()
    os.utime(storage.file(sha256), (moment, moment))


def erase(database, storage, step=lambda: None):
    old_enough(storage)
    return Eraser(database, storage, step, grace=NOW, fresh=NOW).run()


def objects_of(database, loop):
    """Digests of all objects that the video's rows, and those of its export, refer to."""
    with database.session(readonly=True) as session:
        video = session.get_one(Video, loop.video["id"])
        own = {video.sha256, video.frame_table_sha256, video.proxy_sha256, video.proxy_table_sha256}
        jobs = select(Job.id).where(Job.video_id == video.id)
        own |= {*session.scalars(select(JobSegment.sha256).where(JobSegment.job_id.in_(jobs)))}
        own |= {*session.scalars(select(RunSlab.sha256).where(RunSlab.run_id == loop.run))}
        own.add(session.get_one(Measurement, (video.id, "linear")).sha256)
        return own | {session.get_one(Export, loop.export).sha256}


def used(database):
    """Digests of all objects that any row refers to."""
    with database.session(readonly=True) as session:
        return {*session.scalars(blobs._referred())}


def rows_naming(database, *words):
    """Rows that have any of these words in any column."""
    with database.session(readonly=True) as session:
        return [
            (table.name, row)
            for table in Table.metadata.sorted_tables
            for row in session.execute(select(table))
            if any(word in repr(row) for word in words)
        ]


def files_with(folder, *words):
    """Files below a folder that have any of these bytes in them or in their names."""
    wanted = [word.encode() if isinstance(word, str) else word for word in words]
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() or word in str(path).encode() for word in wanted)
    ]


def test_nothing_of_a_purged_video_remains(loop, database, storage, caplog):
    caplog.set_level(logging.DEBUG)
    url = f"/videos/{loop.video['id']}"
    point = np.array([123.75, 87.25], dtype="<f4").tobytes()
    size = len(loop.project["skeleton"]["keypoints"])
    label = {"frame_index": 7, "track_id": 1, "keypoints": [[123.75, 87.25, 2]] * size}
    assert loop.http.put(f"{url}/labels", json={"labels": [label]}).is_success
    for frame in (0, 3, 44):
        assert loop.http.get(f"{url}/frames/{frame}").is_success
    before, stored = objects_of(database, loop), loop.http.get("/lab").json()["stored_bytes"]
    assert len(before) >= 6
    slug, sha256 = loop.video["slug"], loop.video["sha256"]
    frames = loop.service.settings.frames_dir
    assert any(frames.iterdir())
    features = FileCache(loop.service.settings.features_dir, 2**20)
    for one in before | {"0" * 64}:
        features.put(f"{one} from 7/{one}", b"seen")
    shown = loop.http.delete(url, params={"purge": 1}).json()
    assert (shown["restore_until"], shown["exports"], shown["checkpoints"]) == (None, [loop.export], [loop.checkpoint])

    assert erase(database, storage) == 1

    assert before & used(database) == set()
    assert not any(storage.has(one) for one in before)
    assert rows_naming(database, slug, sha256) == []
    left = {table for table, _ in rows_naming(database, NAME)}
    assert left <= {"project", "track", "audit"}  # the project, and the track of the other video, have that name too
    with database.session(readonly=True) as session:
        for table in Table.metadata.sorted_tables:
            if "video_id" in table.c and table.name != "audit":
                query = select(func.count()).select_from(table).where(table.c.video_id == loop.video["id"])
                assert session.scalar(query) == 0, table.name
        trail = session.scalars(select(AuditEntry).where(AuditEntry.video_id == loop.video["id"])).all()
        assert {"video.upload", "labels.write", "video.delete", "video.erase"} <= {entry.kind for entry in trail}
        assert NAME not in str([entry.details for entry in trail])
        (erasure,) = session.scalars(select(Erasure))
        assert (erasure.kind, erasure.thing_id) == ("video", loop.video["id"])
        assert session.scalars(select(Discard)).all() == []
    assert loop.http.get("/lab").json()["stored_bytes"] < stored
    assert loop.http.get(f"/exports/{loop.without}/content").is_success
    assert loop.http.get(f"/videos/{loop.other['id']}/frames/3").is_success
    assert list(blobs.check(database, storage)) == []
    assert blobs.collect(database, storage, older_than=timedelta(seconds=1)).objects == 0
    # This machine's own.
    leftovers = Leftovers(database, storage, FileCache(frames, 2**30), features)
    leftovers.clear()
    assert not features.folder.exists() or not any(features.folder.iterdir())
    assert not any(one in path.name for one in before for path in frames.iterdir())
    assert files_with(loop.service.settings.data_dir, slug, sha256, point) == []
    assert slug not in caplog.text
    assert NAME not in caplog.text

    checkpoint = loop.http.get(f"/checkpoints/{loop.checkpoint}").json()
    assert checkpoint["rests_on_deleted"] == {"videos": [loop.video["id"]], "checkpoints": []}
    assert checkpoint["files"] == []
    assert "sha256" not in checkpoint["pedigree"]["videos"][0]
    for again in (loop.http.delete(url), loop.http.post(f"{url}/restore"), loop.http.get(url)):
        assert again.status_code == 404


def test_what_others_refer_to_stays(loop, database, storage):
    elsewhere = loop.service.project(skeleton(), "elsewhere")
    same = loop.http.post(f"/projects/{elsewhere['id']}/videos", content=loop.bytes).json()
    loop.service.work()
    loop.http.delete(f"/videos/{loop.video['id']}", params={"purge": 1})
    assert erase(database, storage) == 1
    assert same["sha256"] == loop.video["sha256"]
    assert storage.has(same["sha256"])
    assert list(blobs.check(database, storage)) == []
    assert loop.http.get(f"/videos/{same['id']}/frames/3").is_success


def skeleton():
    from pose.skeleton import Skeleton

    return Skeleton(name="one", keypoints=("a",))


def test_a_crash_anywhere_is_gone_on_from(loop, database, storage):
    class Crash(Exception):
        pass

    loop.http.delete(f"/projects/{loop.project['id']}", params={"purge": 1})
    crashes = 0
    while True:
        left = crashes

        def step():
            nonlocal left
            if not left:
                raise Crash
            left -= 1

        try:
            erase(database, storage, step)
            break
        except Crash:
            crashes += 1
            # Whatever is left is hidden, and nothing brings it back.
            for thing in (f"/projects/{loop.project['id']}", f"/videos/{loop.video['id']}"):
                assert loop.http.get(thing).status_code == 404
                assert loop.http.post(f"{thing}/restore").status_code in (404, 409)
    assert crashes > 15
    with database.session(readonly=True) as session:
        for table in (Project, Video, Job, Export, Checkpoint, Upload, Blob, Discard):
            assert session.scalar(select(func.count()).select_from(table)) == 0, table
        kinds = [(row.kind, row.thing_id) for row in session.scalars(select(Erasure).order_by(Erasure.id))]
    assert kinds == [("video", 1), ("video", 2), ("project", 1)]
    assert not [found for found in storage.objects(10) if found]
    assert {table for table, _ in rows_naming(database, NAME)} == set()


def test_the_number_of_what_was_erased_is_not_given_again(loop, database, storage):
    """Browsers keep frames for ever under their addresses."""
    project = loop.service.project(skeleton(), "the last one")
    video = loop.http.post(f"/projects/{project['id']}/videos", content=loop.bytes).json()
    loop.service.work()
    loop.http.delete(f"/projects/{project['id']}", params={"purge": 1})
    assert erase(database, storage) == 1
    again = loop.service.project(skeleton(), "the very last one")
    assert again["id"] > project["id"]
    for _ in range(2):
        sent = loop.http.post(f"/projects/{again['id']}/videos", content=loop.bytes)
        assert sent.json()["id"] > video["id"]
    assert loop.http.get(f"/videos/{video['id']}").status_code == 404


def test_what_a_killed_worker_put_and_no_row_knows_goes_with_it(loop, database, storage):
    left = storage.put(b"poses of which nobody had said yet whose they are")
    loop.http.delete(f"/videos/{loop.video['id']}", params={"purge": 1})
    seen = []

    def step():
        with database.session(readonly=True) as session:
            seen.append((session.get(Video, loop.video["id"]) is None, storage.has(left.sha256)))

    assert erase(database, storage, step) == 1
    assert (False, True) in seen
    assert (True, True) not in seen  # once the service calls it erased nothing of it is left
    assert (True, False) in seen
    assert list(blobs.check(database, storage)) == []


def test_nothing_is_erased_while_a_worker_may_just_have_put_something_of_it(loop, database, storage):
    with database.session() as session:
        for job in session.scalars(select(Job).where(Job.finished_at.is_not(None))):
            job.finished_at -= FRESH
        last = session.scalars(select(Job).where(Job.video_id == loop.video["id"])).first()
        last.finished_at = datetime.now(UTC)
        number = last.id
    loop.http.delete(f"/videos/{loop.video['id']}", params={"purge": 1})
    old_enough(storage)
    assert Eraser(database, storage, grace=NOW).run() == 0
    with database.session() as session:
        session.get_one(Job, number).finished_at -= FRESH
    assert Eraser(database, storage, grace=NOW).run() == 1


def begin(database, loop, minutes):
    """Let a job of the video beside it go on since so many minutes; gives its id."""
    with database.session() as session:
        job = session.scalars(select(Job).where(Job.video_id == loop.other["id"])).first()
        job.state, job.finished_at = "running", None
        job.started_at = datetime.now(UTC) - timedelta(minutes=minutes)
        return job.id


def end(database, number):
    with database.session() as session:
        job = session.get_one(Job, number)
        job.state, job.finished_at = "succeeded", datetime.now(UTC)


def test_what_another_job_just_put_stays_until_it_refers_to_it(loop, database, storage):
    number = begin(database, loop, minutes=2)
    told = storage.put(b"a table that an ingest which goes on is about to refer to")
    loop.http.delete(f"/videos/{loop.video['id']}", params={"purge": 1})
    old_enough(storage)
    # Jobs of the video ended after the other one began: what they left may not be told from what that one put.
    assert Eraser(database, storage, grace=NOW, fresh=NOW).run() == 0
    assert storage.has(told.sha256)
    end(database, number)
    assert erase(database, storage) == 1
    assert not storage.has(told.sha256)


def test_a_job_that_goes_on_for_ever_holds_nothing_up_for_long(loop, database, storage):
    begin(database, loop, minutes=600)
    left, fresh = storage.put(b"of a worker that was killed"), storage.put(b"of one that goes on")
    age(storage, left.sha256, UNTOLD + timedelta(minutes=1))
    age(storage, fresh.sha256, UNTOLD - timedelta(minutes=1))
    with database.session() as session:
        for job in session.scalars(select(Job).where(Job.finished_at.is_not(None))):
            job.finished_at -= UNTOLD + timedelta(minutes=1)
    loop.http.delete(f"/videos/{loop.video['id']}", params={"purge": 1})
    assert Eraser(database, storage, grace=NOW, fresh=NOW).run() == 1
    assert (storage.has(left.sha256), storage.has(fresh.sha256)) == (False, True)


def test_nothing_is_erased_before_its_time_nor_while_a_worker_has_it(loop, database, storage):
    url = f"/videos/{loop.video['id']}"
    loop.http.delete(url)
    assert erase(database, storage) == 0
    loop.http.delete(url, params={"purge": 1})
    assert Eraser(database, storage).run() == 0  # its frames may still be looked at
    with database.session() as session:
        job = session.scalars(select(Job).where(Job.video_id == loop.video["id"])).first()
        job.state = "running"
        number = job.id
    assert erase(database, storage) == 0
    with database.session() as session:
        job = session.get_one(Job, number)
        assert job.cancel_requested
        job.state = "cancelled"
    assert erase(database, storage) == 1


def test_what_stood_in_the_trash_long_enough_is_erased(loop, database, storage):
    url = f"/videos/{loop.video['id']}"
    loop.http.delete(url)
    with database.session() as session:
        video = session.get_one(Video, loop.video["id"])
        video.restore_until = video.deleted_at
    assert erase(database, storage) == 1
    assert loop.http.post(f"{url}/restore").status_code == 404


def test_an_erased_lab_leaves_its_number_alone(loop, database, storage):
    made = loop.http.post("/labs", json={"name": NAME}, headers={"Idempotency-Key": "a lab"}).json()
    with client_of(loop.service, keys.Role.ADMIN, made["id"]) as theirs:
        project = theirs.post("/projects", json={"name": NAME, "skeleton": {"name": NAME, "keypoints": ["a"]}}).json()
        theirs.post(f"/projects/{project['id']}/videos", params={"filename": NAME}, content=loop.bytes + bytes(0))
        theirs.post("/keys", json={"name": NAME})
        assert theirs.delete(f"/labs/{made['id']}", params={"purge": 1}).status_code == 202
    assert erase(database, storage) == 1
    with database.session(readonly=True) as session:
        lab = session.get_one(Lab, made["id"])
        assert (lab.name, lab.erased_at is not None) == ("", True)
        for key in session.scalars(select(ApiKey).where(ApiKey.lab_id == lab.id)):
            assert (key.name, key.secret_sha256) == ("", "")
            assert key.revoked_at is not None
        entries = session.scalars(select(AuditEntry).where(AuditEntry.lab_id == lab.id)).all()
        assert NAME not in str([entry.details for entry in entries])
        assert {"lab.create", "key.create", "project.create", "video.upload"} <= {entry.kind for entry in entries}
        created = select(AuditEntry).where(AuditEntry.kind == "lab.create", AuditEntry.lab_id == 1)
        assert session.scalars(created).one().details == {"lab_id": lab.id}
        assert session.get(Idempotency, (1, "a lab")) is None
    assert NAME not in loop.http.get("/labs", params={"deleted": 1}).text
    assert loop.http.delete(f"/labs/{made['id']}").status_code == 404
    assert erase(database, storage) == 0


def test_a_checkpoint_elsewhere_that_went_on_from_an_erased_one_says_so(loop, database, storage, plant_checkpoint):
    other = loop.service.project(skeleton(), "elsewhere")
    pedigree = {"videos": [], "held_out": [], "parent": {"id": loop.checkpoint, "sha256": "0" * 64}}
    child = plant_checkpoint(loop.service, other["id"], parent_id=loop.checkpoint, pedigree=pedigree)
    shown = loop.http.delete(f"/projects/{loop.project['id']}", params={"purge": 1}).json()
    assert shown["checkpoints"] == [child]
    assert loop.http.get(f"/checkpoints/{child}").json()["rests_on_deleted"]["videos"] == [loop.video["id"]]
    assert erase(database, storage) == 1
    gone = {"videos": [], "checkpoints": [loop.checkpoint]}
    assert loop.http.get(f"/checkpoints/{child}").json()["rests_on_deleted"] == gone


def test_every_table_goes_with_what_it_is_about_or_has_a_reason_to_stay():
    about = {table.name for table, _ in rows.rows_of(Video.__table__, 1)}
    whole = {table.name for table, _ in rows.rows_of(Project.__table__, 1)}
    # Labs stay as numbers, with keys and audit entries without names; blobs go with their objects; sessions and
    # answers are forgotten by lab; the rest knows of no project.
    stay = {"lab", "api_key", "audit", "blob", "browser_session", "idempotency", "duty"}
    stay |= {"sign_in", "erasure", "discard", "backup_copy"}
    assert {table.name for table in Table.metadata.sorted_tables} - whole - {"project"} == stay
    assert {"label", "label_revision", "track", "run", "run_slab", "job", "job_line", "job_segment", "upload"} <= about
