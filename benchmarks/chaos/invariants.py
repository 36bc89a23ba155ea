"""What must hold whatever happened. Each invariant gives a sentence for each violation that it finds."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from sqlalchemy import select, text

from app import blobs
from app.database import Database
from app.errors import DamagedObject
from app.jobs.states import FAILED, FINISHED, SUCCEEDED
from app.labels import history
from app.projects import service as projects
from app.storage import Storage
from app.tables import AuditEntry, Blob, Discard, Export, Job, JobSegment, Label, LabelRevision, Run, Table, Video
from app.videos.service import INGEST
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.mending import SUBJECT, SUBJECTS
from benchmarks.chaos.watching import Sample
from models.engines.cuts import Cuts
from models.propagate import propagate_segment
from models.registry import resolve
from pose.formats import npy
from pose.formats.coco_check import check_coco
from pose.frame_table import FrameTable
from pose.frames import RecentFrames
from pose.segments import plan, relevant
from pose.video import VideoReader

_LONGEST_SENTENCE = 300
_NOT_FOR_PEOPLE = ("\n", "Traceback", "[SQL", "sqlalche.me", "Debug source")


@dataclass
class Evidence:
    """What the auditor looks at.

    Attributes:
        database: The ledger's.
        storage: The objects'.
        lease_seconds: Of the service.
        journal: What clients were told.
        samples: What was seen of the ledger.
        first_job: Jobs before this one were audited before.
        audited: Objects that were audited before.
    """

    database: Database
    storage: Storage
    lease_seconds: float
    journal: Journal = field(default_factory=Journal)
    samples: list[Sample] = field(default_factory=list)
    first_job: int = 1
    audited: set[str] = field(default_factory=set)


def acknowledged_labels_are_kept(evidence: Evidence) -> Iterator[str]:
    """Every label whose write was acknowledged is in the history under its revision, as it was written."""
    with evidence.database.session(readonly=True) as session:
        for label in evidence.journal.labels:
            place = (label.video_id, label.frame_index, label.track_number, label.revision)
            row = session.get(Label, place)
            kept = np.frombuffer(row.keypoints, dtype="<f4").reshape(-1, 3).tolist() if row is not None else None
            if kept != [list(map(float, point)) for point in label.keypoints]:
                yield f"label {place} was written as {label.keypoints} and is {kept}"


def acknowledged_absences_are_kept(evidence: Evidence) -> Iterator[str]:
    """What was said not to be here, a subject or a keypoint, is absent as of the revision that was acknowledged."""
    with evidence.database.session(readonly=True) as session:
        for said in evidence.journal.absent:
            video = session.get_one(Video, said.video_id)
            size = projects.skeleton(session, video.project_id).size
            where = {"start": said.frame_index, "stop": said.frame_index + 1, "tracks": [said.track_number]}
            kept = history.read(session, video.id, size, revision=said.revision, **where).absent
            wanted = [said.whole or point == 1 for point in range(size)]
            if not len(kept) or not kept[0][wanted].all():
                yield f"{said} was acknowledged, and absent are {kept.tolist()}"


def acknowledged_revisions_are_kept(evidence: Evidence) -> Iterator[str]:
    """Every revision of labels that was acknowledged is in the history, and none is missing between them."""
    told = {(one.video_id, one.revision) for one in (*evidence.journal.labels, *evidence.journal.absent)}
    told |= {(one.video_id, revision) for one in evidence.journal.mended for revision in one.revisions}
    with evidence.database.session(readonly=True) as session:
        for video_id in sorted({video for video, _ in told}):
            mine = select(LabelRevision.revision).where(LabelRevision.video_id == video_id)
            kept = set(session.scalars(mine))
            present = session.get_one(Video, video_id).revision
            missing = {*range(1, present + 1), *(revision for video, revision in told if video == video_id)} - kept
            if missing:
                yield f"video {video_id} is at revision {present} and lacks {sorted(missing)}"


def what_was_undone_left_no_trace(evidence: Evidence) -> Iterator[str]:
    """After an act on tracks or an absence is undone, an export has the same bytes as before it, and names are back."""
    for one in evidence.journal.mended:
        if None not in (one.before, one.after) and one.before != one.after:
            yield f"{one.act} of video {one.video_id}, undone in {one.revisions}, changed its export"
        if one.names != dict.fromkeys(range(1, SUBJECTS + 1), SUBJECT):
            yield f"{one.act} of video {one.video_id}, undone in {one.revisions}, left the tracks {one.names}"


def acknowledged_uploads_are_whole(evidence: Evidence) -> Iterator[str]:
    """Every upload that was acknowledged is a video whose stored bytes have the digest that the client computed."""
    with evidence.database.session(readonly=True) as session:
        for upload in evidence.journal.uploads:
            video = session.get(Video, upload.video_id)
            if video is None or (video.sha256, video.size) != (upload.sha256, upload.size):
                yield f"video {upload.video_id} is not the {upload.size} bytes {upload.sha256} that were sent"
            elif fault := _fault(evidence.storage, video.sha256):
                yield f"video {upload.video_id}: {fault}"


def acknowledged_bytes_stay(evidence: Evidence) -> Iterator[str]:
    """The offset of an upload never goes back, and no upload is forgotten."""
    for url, offsets in evidence.journal.offsets.items():
        if offsets != sorted(offsets):
            yield f"{url} had {offsets} bytes one after the other"
    yield from evidence.journal.gone


def sound_videos_are_not_rejected(evidence: Evidence) -> Iterator[str]:
    """A video that can be read is ready, unless its ingest was tried as often as may be."""
    with evidence.database.session(readonly=True) as session:
        for upload in evidence.journal.uploads:
            video = session.get(Video, upload.video_id)
            ingests = select(Job.state).where(Job.video_id == upload.video_id, Job.kind == INGEST)
            if video is not None and video.status != "ready" and FAILED not in set(session.scalars(ingests)):
                yield f"video {video.id} is {video.status}: {video.reason}"


def acknowledged_jobs_end(evidence: Evidence) -> Iterator[str]:
    """Every job that was acknowledged is in the ledger and has ended, and so have all others."""
    with evidence.database.session(readonly=True) as session:
        known = set(session.scalars(select(Job.id).where(Job.id >= evidence.first_job)))
        yield from (f"job {number} is not in the ledger" for number in sorted({*evidence.journal.jobs} - known))
        for job in session.scalars(select(Job).where(Job.state.not_in(FINISHED)).order_by(Job.id)):
            yield f"job {job.id} ({job.kind}) is {job.state}, attempt {job.attempt}, held by {job.owner}"


def failed_jobs_say_why(evidence: Evidence) -> Iterator[str]:
    """A job fails after its last attempt only, and says why in a sentence for people."""
    query = select(Job).where(Job.id >= evidence.first_job, Job.state == FAILED).order_by(Job.id)
    with evidence.database.session(readonly=True) as session:
        for job in session.scalars(query):
            if job.attempt < job.max_attempts:
                yield f"job {job.id} ({job.kind}) failed in attempt {job.attempt} of {job.max_attempts}: {job.error}"
            error = job.error or ""
            if not error or len(error) > _LONGEST_SENTENCE or any(word in error for word in _NOT_FOR_PEOPLE):
                yield f"job {job.id} ({job.kind}) failed with what is no plain sentence: {error!r}"


def no_job_is_stuck(evidence: Evidence) -> Iterator[str]:
    """Once everything is back, no job runs without a worker or waits beside idle ones for more than two leases."""
    since: dict[tuple[int, str], float] = {}
    told: set[tuple[int, str]] = set()
    for sample in evidence.samples:
        seen = {
            *((job, "ran without a worker") for job in sample.orphans),
            *((job, "waited beside idle workers") for job in sample.waiting),
        }
        since = {case: since.get(case, sample.at) for case in seen} if sample.back else {}
        for job, how in sorted(since.keys() - told):
            if sample.at - since[job, how] > 2 * evidence.lease_seconds:
                told.add((job, how))
                yield f"job {job} {how} for more than two leases"


def segments_are_written_once(evidence: Evidence) -> Iterator[str]:
    """A finished segment is never overwritten, and what has equal inputs has equal content."""
    query = text(
        "SELECT job_id, track_number, start, input_sha256, before, after FROM chaos_segment WHERE job_id >= :first"
    )
    with evidence.database.session(readonly=True) as session:
        rows = session.execute(query, {"first": evidence.first_job}).all()
    results: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.before is not None:
            yield f"segment {row.start} of job {row.job_id} was {row.before} and became {row.after}"
        if row.after is not None:
            results[row.input_sha256].add(row.after)
    for inputs, made in results.items():
        if len(made) > 1:
            yield f"of the same inputs {inputs} there are {len(made)} results: {sorted(made)}"


def objects_match_their_rows(evidence: Evidence) -> Iterator[str]:
    """For every blob's row there is an object of that digest and size."""
    with evidence.database.session(readonly=True) as session:
        rows = {row.sha256: row.size for row in session.execute(select(Blob.sha256, Blob.size))}
    for sha256 in sorted(rows.keys() - evidence.audited):
        fault = _fault(evidence.storage, sha256)
        if fault is None and len(evidence.storage.get(sha256)) != rows[sha256]:
            fault = f"{sha256} has not the size {rows[sha256]} of its row"
        if fault is not None:
            yield fault


def storage_check_is_clean(evidence: Evidence) -> Iterator[str]:
    """What ``posetween storage check`` finds: every object that a row refers to is there and whole."""
    yield from blobs.check(evidence.database, evidence.storage)


def exports_are_sound(evidence: Evidence) -> Iterator[str]:
    """Every export that succeeded has the files that its manifest names, and pycocotools can read them."""
    query = (
        select(Export).join(Job, Job.id == Export.job_id).where(Job.state == SUCCEEDED, Job.id >= evidence.first_job)
    )
    with evidence.database.session(readonly=True) as session:
        exports = session.scalars(query.order_by(Export.id)).all()
    for export in exports:
        if export.sha256 is None or export.manifest is None or (fault := _fault(evidence.storage, export.sha256)):
            yield f"export {export.id} succeeded and has no whole file: {fault if export.sha256 else None}"
            continue
        files = _files(export, evidence.storage.get(export.sha256))
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        if digests != {file["path"]: file["sha256"] for file in export.manifest["files"]}:
            yield f"export {export.id} has other files than its manifest names"
        sheet = next((data for name, data in files.items() if name.endswith(".json")), b"")
        faults = [found for found in check_coco(sheet) if found.severity == "error"]
        yield from (f"export {export.id}: {found.pointer} {found.sentence}" for found in faults[:3])


def runs_equal_undisturbed_ones(evidence: Evidence) -> Iterator[str]:
    """Every run that succeeded has exactly the poses that its labels give when nothing happens meanwhile."""
    query = select(Run, Job).join(Job, Job.id == Run.job_id).where(Job.state == SUCCEEDED, Job.id >= evidence.first_job)
    with evidence.database.session(readonly=True) as session:
        runs = session.execute(query.order_by(Run.id)).all()
    for run, job in runs:
        wanted = _undisturbed(evidence, run, job)
        with evidence.database.session(readonly=True) as session:
            rows = session.scalars(select(JobSegment).where(JobSegment.job_id == job.id)).all()
        found = {(row.track_number, row.start): row.sha256 for row in rows}
        if found != wanted:
            other = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
            yield f"run {run.id} differs from an undisturbed one in the segments (track, start) {other[:5]}"


def nothing_erased_remains(evidence: Evidence) -> Iterator[str]:
    """Of a video that the service calls erased there is no row, no object, no job and no export; the trail says so."""
    with evidence.database.session(readonly=True) as session:
        if left := session.scalars(select(Discard.sha256)).all():
            yield f"{len(left)} objects of what was erased were not removed"
        for erased in evidence.journal.erased:
            for table in Table.metadata.sorted_tables:
                if table.name == "audit":
                    continue
                column = table.c.id if table.name == "video" else table.c.get("video_id")
                if column is not None and session.scalar(select(column).where(column == erased.video_id).limit(1)):
                    yield f"video {erased.video_id} is erased, and table {table.name} has rows of it"
            for kind, numbers in ((Job, erased.jobs), (Export, erased.exports)):
                if there := list(session.scalars(select(kind.id).where(kind.id.in_(numbers)))):
                    yield f"video {erased.video_id} is erased, and {kind.__tablename__} {there} is there"
            if evidence.storage.has(erased.sha256):
                yield f"video {erased.video_id} is erased, and its bytes {erased.sha256} are there"
            trail = select(AuditEntry).where(AuditEntry.video_id == erased.video_id)
            entries = session.scalars(trail).all()
            if "video.erase" not in {entry.kind for entry in entries}:
                yield f"video {erased.video_id} is erased, and the audit trail does not know"
            if named := [entry.kind for entry in entries if erased.sha256 in str(entry.details)]:
                yield f"video {erased.video_id} is erased, and the audit trail names it in {named}"


def nothing_unrecorded_remains(evidence: Evidence) -> Iterator[str]:
    """Once a video was erased no object is left that no row knows: what killed workers had put is gone too."""
    if evidence.journal.erased:
        left = blobs.collect(evidence.database, evidence.storage, older_than=timedelta(0), dry=True)
        if left.objects:
            yield f"{left.objects} objects of {left.bytes} bytes are in storage, and no row refers to them"


def nothing_restored_is_lost(evidence: Evidence) -> Iterator[str]:
    """A video that was deleted and restored is there for everybody, and what was written to it is kept as any other."""
    with evidence.database.session(readonly=True) as session:
        for video_id in evidence.journal.restored:
            video = session.get(Video, video_id)
            if video is None or video.deleted_at is not None or video.restore_until is not None:
                yield f"video {video_id} was restored and is {'gone' if video is None else 'deleted'}"


def no_answer_is_a_mistake(evidence: Evidence) -> Iterator[str]:
    """Where the service cannot do something now, it says so (503, 507) instead of calling it a mistake of its own."""
    for sentence, count in sorted(evidence.journal.mistakes.items()):
        yield f"{count} times: {sentence}"


Invariant = Callable[[Evidence], Iterator[str]]

INVARIANTS: tuple[Invariant, ...] = (
    acknowledged_labels_are_kept,
    acknowledged_absences_are_kept,
    acknowledged_revisions_are_kept,
    what_was_undone_left_no_trace,
    acknowledged_uploads_are_whole,
    acknowledged_bytes_stay,
    sound_videos_are_not_rejected,
    acknowledged_jobs_end,
    failed_jobs_say_why,
    no_job_is_stuck,
    segments_are_written_once,
    objects_match_their_rows,
    storage_check_is_clean,
    exports_are_sound,
    runs_equal_undisturbed_ones,
    nothing_erased_remains,
    nothing_unrecorded_remains,
    nothing_restored_is_lost,
    no_answer_is_a_mistake,
)


def audit(evidence: Evidence) -> list[str]:
    """Every violation, with the name of its invariant."""
    return [f"{invariant.__name__}: {found}" for invariant in INVARIANTS for found in invariant(evidence)]


def _fault(storage: Storage, sha256: str) -> str | None:
    try:
        storage.verify(sha256)
    except FileNotFoundError:
        return f"{sha256} is missing"
    except DamagedObject as error:
        return str(error)
    return None


def _files(export: Export, data: bytes) -> dict[str, bytes]:
    if not export.spec["images"]:
        return {"annotations.json": data}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _undisturbed(evidence: Evidence, run: Run, job: Job) -> dict[tuple[int, int], str]:
    """Digest of each segment by track and first frame, computed here and now."""
    with evidence.database.session(readonly=True) as session:
        video = session.get_one(Video, run.video_id)
        size = projects.skeleton(session, video.project_id, run.skeleton_version).size
        labels = history.read(session, video.id, size, revision=run.label_revision, tracks=job.params["tracks"])
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    engine = resolve(job.params["engine"])
    table = FrameTable.from_bytes(evidence.storage.get(video.proxy_table_sha256))
    digests = {}
    with VideoReader(evidence.storage.file(video.proxy_sha256), table) as reader:
        frames, cuts = RecentFrames(reader), Cuts()
        for number in job.params["tracks"]:
            keyframes = labels.track(number)
            for segment in plan(keyframes, job.params["start"], job.params["stop"]):
                poses = propagate_segment(engine, frames, relevant(keyframes, segment), segment, cuts)
                digests[number, segment.start] = hashlib.sha256(npy.encode(poses)).hexdigest()
    return digests
