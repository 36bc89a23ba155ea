"""The auditor finds nothing in a service that was left in peace, and each violation that is planted."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import select, text, update

from app import blobs
from app.backup import backup
from app.database import connect
from app.settings import Settings
from app.storage import Storage
from app.tables import Blob, Export, Job, JobSegment, Label, Video
from benchmarks.chaos.clients import Client
from benchmarks.chaos.invariants import INVARIANTS, Evidence, audit
from benchmarks.chaos.journal import Erased, Journal
from benchmarks.chaos.mending import ACTS, SUBJECT, Mending
from benchmarks.chaos.watching import Sample, log_segments
from pose.skeleton import Skeleton

LEASE = 2.0


@pytest.fixture(scope="module")
def peace(serving, walker, tmp_path_factory):
    """A service in which a client uploaded, labelled, propagated and exported; and what the client was told."""
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("peace") / "data", port=0))
    database = connect(service.settings.database)
    log_segments(database)
    database.dispose()
    service.project(Skeleton(name="two", keypoints=("a", "b")))
    journal = Journal()
    client = Client(str(service.http.base_url).rstrip("/"), service.key, journal, Random(1))
    clip = walker.path.read_bytes()
    client.upload(1, clip)
    video = client.upload_in_pieces(1, clip + (8 + 50_000).to_bytes(4, "big") + b"free" + bytes(50_000))
    service.work()
    track = client.ask("POST", f"/videos/{video}/tracks", json={"name": "one"})["id"]
    client.label(video, track, [0, 20, 44], 320, 240)
    client.start(f"/videos/{video}/propagations", {"engine": "linear"})
    client.start(f"/videos/{video}/propagations", {"engine": "flow"})
    service.work()
    for images in (False, True):
        client.start("/projects/1/exports", {"images": images})
    service.work()
    mending = Mending(client.upload(1, clip + (8).to_bytes(4, "big") + b"free"), [0, 8, 16, 24, 32, 40])
    service.work()
    for track in (1, 2):
        client.ask("POST", f"/videos/{mending.video_id}/tracks", json={"name": SUBJECT})
        client.label(mending.video_id, track, mending.frames, 320, 240)
    while len({one.act for one in journal.mended}) < len(ACTS):
        mending.act(client, lambda video_id: exported(service, client, video_id))
    client.close()
    return service, journal


def exported(service, client, video_id):
    job = client.start("/projects/1/exports", {"videos": [video_id], "include": ["human"]})
    service.work()
    return client.content(f"/exports/{client.ask('GET', f'/jobs/{job}')['result']['export_id']}/content")


@pytest.fixture
def evidence(peace, tmp_path):
    """The same, in a copy that may be spoilt."""
    service, journal = peace
    shutil.copytree(service.settings.data_dir / "storage", tmp_path / "storage")
    backup(service.settings.database, tmp_path / "copy.db")
    database = connect(f"sqlite:///{tmp_path / 'copy.db'}")
    storage = Storage((tmp_path / "storage").as_uri(), tmp_path / "scratch")
    yield Evidence(database, storage, LEASE, copy.deepcopy(journal))
    database.dispose()


def execute(evidence, statement, **values):
    with evidence.database.session() as session:
        session.execute(statement, values)


def first(evidence, query):
    with evidence.database.session(readonly=True) as session:
        return session.scalars(query.limit(1)).one()


def path_of(evidence, sha256) -> Path:
    return evidence.storage.file(sha256)


def lose_a_label(evidence):
    execute(evidence, text("DELETE FROM label WHERE frame_index = 20"))


def change_a_label(evidence):
    execute(evidence, update(Label).where(Label.frame_index == 20).values(keypoints=bytes(24)))


def lose_an_absence(evidence):
    execute(evidence, update(Label).where(Label.absent.is_not(None)).values(absent=None))


def lose_a_revision(evidence):
    for table in ("label", "track_revision", "label_revision"):
        execute(evidence, text(f"DELETE FROM {table} WHERE revision = 4 AND video_id = 3"))


def lose_the_last_revision(evidence):
    one = evidence.journal.mended[-1]
    beyond = (*one.revisions, one.revisions[-1] + 1)
    evidence.journal.mended[-1] = replace(one, revisions=beyond)


def undo_by_halves(evidence):
    evidence.journal.mended[0] = replace(evidence.journal.mended[0], after="0" * 64)


def leave_a_track(evidence):
    one = evidence.journal.mended[0]
    evidence.journal.mended[0] = replace(one, names={**one.names, 3: "track 3"})


def leave_what_nobody_knows(evidence):
    evidence.storage.put(b"put by a worker that was killed then")
    evidence.journal.erased.append(Erased(99, "0" * 64, (), ()))


def damage_an_upload(evidence):
    with path_of(evidence, evidence.journal.uploads[0].sha256).open("ab") as file:
        file.write(b"rot")


def forget_an_upload(evidence):
    execute(evidence, update(Video).where(Video.id == 1).values(sha256=Video.proxy_sha256))


def go_back(evidence):
    evidence.journal.offsets["an upload"] = [0, 70_000, 60_000]


def forget_bytes(evidence):
    evidence.journal.gone.append("HEAD: 404")


def reject(evidence):
    execute(evidence, update(Video).where(Video.id == 1).values(status="rejected", reason="crashed"))


def forget_a_job(evidence):
    evidence.journal.jobs.append(99)


def leave_a_job(evidence):
    execute(evidence, update(Job).where(Job.kind == "export").values(state="queued"))


def fail_early(evidence):
    execute(evidence, update(Job).where(Job.id == 1).values(state="failed", attempt=1, error="it broke"))


def fail_in_tongues(evidence):
    spoken = "OperationalError: gone\n[SQL: SELECT 1]"
    execute(evidence, update(Job).where(Job.id == 1).values(state="failed", attempt=3, error=spoken))


def fail_silently(evidence):
    execute(evidence, update(Job).where(Job.id == 1).values(state="failed", attempt=3, error=None))


def lose_a_worker(evidence):
    evidence.samples = [Sample(at / 2, True, orphans=frozenset({7})) for at in range(10)]


def let_a_job_wait(evidence):
    evidence.samples = [Sample(at / 2, True, waiting=frozenset({7})) for at in range(10)]


def overwrite_a_segment(evidence):
    other = select(JobSegment.sha256).where(JobSegment.start == 20).limit(1).scalar_subquery()
    execute(evidence, update(JobSegment).where(JobSegment.start == 0, JobSegment.job_id == 3).values(sha256=other))


def make_another_result_of_the_same(evidence):
    row = first(evidence, select(JobSegment).where(JobSegment.start == 0, JobSegment.job_id == 3))
    log = "INSERT INTO chaos_segment VALUES (3, 1, 0, :inputs, NULL, 'another')"
    execute(evidence, text(log), inputs=row.input_sha256)


def lose_an_object(evidence):
    path_of(evidence, first(evidence, select(JobSegment.sha256))).unlink()


def lose_an_unused_object(evidence):
    execute(evidence, text("INSERT INTO blob VALUES (:name, 1, '2026-01-01')"), name="0" * 64)


def shorten_an_object_s_row(evidence):
    execute(evidence, update(Blob).where(Blob.sha256 == evidence.journal.uploads[0].sha256).values(size=1))


def export_nonsense(evidence):
    row = first(evidence, select(Export))
    sheet = json.loads(evidence.storage.get(row.sha256))
    sheet["annotations"][0]["num_keypoints"] = 9
    stored = evidence.storage.put(json.dumps(sheet).encode())
    with evidence.database.session() as session:
        blobs.record(session, evidence.storage, stored)
    manifest = {**row.manifest, "files": [{"path": "annotations.json", "sha256": stored.sha256}]}
    execute(evidence, update(Export).where(Export.id == row.id).values(sha256=stored.sha256, manifest=manifest))


def export_another_file(evidence):
    row = first(evidence, select(Export).order_by(Export.id.desc()))
    manifest = {**row.manifest, "files": row.manifest["files"][1:]}
    execute(evidence, update(Export).where(Export.id == row.id).values(manifest=manifest))


def export_nothing(evidence):
    execute(evidence, update(Export).values(sha256=None))


def erase_in_words_alone(evidence):
    evidence.journal.erased.append(Erased(1, evidence.journal.uploads[0].sha256, (1,), ()))


def erase_all_but_a_job(evidence):
    evidence.journal.erased.append(Erased(99, "0" * 64, (evidence.journal.jobs[0],), ()))


def lose_what_was_restored(evidence):
    evidence.journal.restored.append(1)
    execute(evidence, update(Video).where(Video.id == 1).values(deleted_at=datetime.now(UTC)))


def make_a_mistake(evidence):
    evidence.journal.mistakes["PUT /labels: 500"] += 1


PLANTED = (
    (lose_a_label, "acknowledged_labels_are_kept"),
    (change_a_label, "acknowledged_labels_are_kept"),
    (lose_an_absence, "acknowledged_absences_are_kept"),
    (lose_a_revision, "acknowledged_revisions_are_kept"),
    (lose_the_last_revision, "acknowledged_revisions_are_kept"),
    (undo_by_halves, "what_was_undone_left_no_trace"),
    (leave_a_track, "what_was_undone_left_no_trace"),
    (leave_what_nobody_knows, "nothing_unrecorded_remains"),
    (damage_an_upload, "acknowledged_uploads_are_whole"),
    (forget_an_upload, "acknowledged_uploads_are_whole"),
    (go_back, "acknowledged_bytes_stay"),
    (forget_bytes, "acknowledged_bytes_stay"),
    (reject, "sound_videos_are_not_rejected"),
    (forget_a_job, "acknowledged_jobs_end"),
    (leave_a_job, "acknowledged_jobs_end"),
    (fail_early, "failed_jobs_say_why"),
    (fail_in_tongues, "failed_jobs_say_why"),
    (fail_silently, "failed_jobs_say_why"),
    (lose_a_worker, "no_job_is_stuck"),
    (let_a_job_wait, "no_job_is_stuck"),
    (overwrite_a_segment, "segments_are_written_once"),
    (overwrite_a_segment, "runs_equal_undisturbed_ones"),
    (make_another_result_of_the_same, "segments_are_written_once"),
    (lose_an_object, "objects_match_their_rows"),
    (lose_an_object, "storage_check_is_clean"),
    (lose_an_unused_object, "objects_match_their_rows"),
    (shorten_an_object_s_row, "objects_match_their_rows"),
    (export_nonsense, "exports_are_sound"),
    (export_another_file, "exports_are_sound"),
    (export_nothing, "exports_are_sound"),
    (erase_in_words_alone, "nothing_erased_remains"),
    (erase_all_but_a_job, "nothing_erased_remains"),
    (lose_what_was_restored, "nothing_restored_is_lost"),
    (make_a_mistake, "no_answer_is_a_mistake"),
)


def test_nothing_is_found_where_nothing_happened(evidence):
    assert audit(evidence) == []
    # There was something to look at.
    assert (len(evidence.journal.labels), len(evidence.journal.uploads)) == (3 + 12, 3)
    assert len(evidence.journal.jobs) == 4 + len(evidence.journal.mended) + 1
    assert {one.act for one in evidence.journal.mended} == {*ACTS}
    assert all(one.before == one.after for one in evidence.journal.mended)
    assert len(evidence.journal.absent) >= 3
    assert any(evidence.journal.offsets.values())


@pytest.mark.parametrize(("plant", "name"), PLANTED)
def test_what_is_planted_is_found(evidence, plant, name):
    plant(evidence)
    (invariant,) = (invariant for invariant in INVARIANTS if invariant.__name__ == name)
    assert list(invariant(evidence))


def test_each_invariant_can_be_violated():
    assert {name for _, name in PLANTED} == {invariant.__name__ for invariant in INVARIANTS}


def test_a_job_without_a_worker_is_not_stuck_while_something_is_missing(evidence):
    evidence.samples = [Sample(at / 2, at % 6 != 5, orphans=frozenset({7})) for at in range(40)]
    assert audit(evidence) == []
