"""Rows of what is listed: projects, jobs, videos, runs of one, checkpoints of a project, entries of the audit trail."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import DeclarativeBase, Session

from app.database import Database
from app.projects.schemas import SkeletonSchema
from app.tables import (
    ApiKey,
    AuditEntry,
    Blob,
    Checkpoint,
    CheckpointFile,
    Job,
    JobSegment,
    Lab,
    Label,
    LabelRevision,
    Project,
    Review,
    Run,
    SkeletonVersion,
    TrackRow,
    Video,
    VideoShare,
)

KEYPOINTS, KEYS, TRACKS, SEGMENTS, FRAMES = 17, 20, 2, 4, 9000
RUNS, REVIEWS = 5, 40  # of each video but the first
GENERATIONS = 10  # of checkpoints, each of which goes on from the one before
_AT_ONCE = 5000


@dataclass(frozen=True)
class Counts:
    """How many there shall be of each, in one lab."""

    projects: int
    jobs: int
    runs: int
    checkpoints: int
    entries: int
    videos: int = 1


def fill(database: Database, counts: Counts) -> int:
    """Rows of two labs in turns, as labs that work at the same time leave them.

    Runs, checkpoints and entries of the first project's first video, in the lab that was there. Every second run is of
    before the last labels, which are on a track that it has not. The other videos of that project were labelled,
    propagated a few times and reviewed; of each second one it was counted how much is done.

    Returns:
        The video.
    """
    with database.session() as session:
        first = session.scalars(select(Lab.id).order_by(Lab.id)).first()
        other = Lab(name="other")
        session.add(other)
        session.flush()
        labs = other.id, first
        definition = SkeletonSchema(name="body", keypoints=[f"keypoint {k}" for k in range(KEYPOINTS)])
        shape = definition.model_dump(mode="json")
        numbers = range(1, 2 * counts.projects + 1)
        rows = [{"id": n, "lab_id": labs[n % 2], "name": f"Versuch {n}: Maus am Rad"} for n in numbers]
        session.execute(insert(Project), rows)
        shapes = [{"project_id": n, "version": 1, "definition": shape} for n in numbers]
        session.execute(insert(SkeletonVersion), shapes)
        video = Video(
            project_id=1,
            filename="GX010123.MP4",
            slug="gx",
            sha256=_blob(session, "video"),
            size=1,
            status="ready",
            num_frames=FRAMES,
            revision=2,
        )
        session.add(video)
        session.flush()
        _insert(session, Job, [_job(n, labs[n % 2], counts) for n in range(1, 2 * counts.jobs + 1)])
        _fill_runs(session, video, counts)
        _fill_checkpoints(session, video, counts)
        _fill_trail(session, labs[1], video, counts)
        _fill_videos(session, labs[1], video, counts)
        return video.id


def _fill_runs(session: Session, video: Video, counts: Counts) -> None:
    session.add(TrackRow(video_id=video.id, number=TRACKS + 1, name="another"))
    session.flush()
    mine = {"video_id": video.id, "kind": "put", "key_id": None}
    session.execute(insert(LabelRevision), [{**mine, "revision": revision} for revision in (1, 2)])
    label = {"video_id": video.id, "track_number": TRACKS + 1, "keypoints": bytes(12 * KEYPOINTS)}
    rows = [{**label, "frame_index": frame, "revision": 2, "changed": bytes(KEYPOINTS)} for frame in range(100)]
    session.execute(insert(Label), rows)
    done = _blob(session, "segment")
    jobs = [2 * n + 1 for n in range(counts.runs)]
    made = {"video_id": video.id, "engine": "flow", "skeleton_version": 1, "code_version": "1"}
    _insert(session, Run, [{**made, "id": job, "job_id": job, "label_revision": 1 + job // 2 % 2} for job in jobs])
    place = {"input_sha256": "0" * 64, "sha256": done}
    segments = [
        {**place, "job_id": job, "track_number": track, "start": 300 * part, "stop": 300 * part + 300}
        for job in jobs
        for track in range(1, TRACKS + 1)
        for part in range(SEGMENTS)
    ]
    _insert(session, JobSegment, segments)


def _fill_checkpoints(session: Session, video: Video, counts: Counts) -> None:
    runs = [2 * n + 1 for n in range(min(10, counts.runs))]
    rows = [
        {
            "id": n,
            "project_id": 1,
            "job_id": 2 * n - 1,
            "parent_id": n - 1 if n % GENERATIONS > 1 else None,
            "estimator": "stdpose",
            "preset": "tiny",
            "skeleton_version": 1,
            "weights_sha256": _blob(session, f"weights {n}"),
            "metrics": {"overall": {"mean": 0.03}},
            "epochs": [{"index": 0, "loss": 1.5}],
            "pedigree": {"videos": [{"id": video.id, "runs": runs}], "held_out": []},
            "verdict": {"promoted": False, "reason": "Not promoted: too few labels.", "gain": None},
        }
        for n in range(1, counts.checkpoints + 1)
    ]
    _insert(session, Checkpoint, rows)
    report = _blob(session, "report")
    names = ("report.json", "report.md", "recipe.json")
    files = [{"checkpoint_id": row["id"], "name": name, "sha256": report} for row in rows for name in names]
    _insert(session, CheckpointFile, files)


def _fill_trail(session: Session, lab_id: int, video: Video, counts: Counts) -> None:
    keys = [ApiKey(lab_id=lab_id, name=f"key {n}", role="annotator", secret_sha256=f"{n:064}") for n in range(KEYS)]
    session.add_all(keys)
    session.flush()
    act = {"lab_id": lab_id, "kind": "labels.write", "via": "key", "project_id": 1, "video_id": video.id}
    rows = [
        {**act, "key_id": keys[n % KEYS].id, "details": {"revision": n, "written": 1}} for n in range(counts.entries)
    ]
    _insert(session, AuditEntry, rows)


def _fill_videos(session: Session, lab_id: int, first: Video, counts: Counts) -> None:
    numbers = [first.id + n for n in range(counts.videos)]
    about = {"project_id": 1, "size": 1, "status": "ready", "num_frames": FRAMES, "revision": 2}
    new = [
        {**about, "id": n, "filename": f"{n}.mp4", "slug": f"v{n}", "sha256": _blob(session, f"video {n}")}
        for n in numbers[1:]
    ]
    _insert(session, Video, new)
    ingest = {"lab_id": lab_id, "project_id": 1, "params": {}, "state": "succeeded"}
    after = 2 * counts.jobs
    _insert(session, Job, [{**ingest, "id": after + n, "kind": "ingest", "video_id": n} for n in numbers])
    tracks = [{"video_id": n, "number": track, "name": "mouse"} for n in numbers[1:] for track in range(1, TRACKS + 1)]
    _insert(session, TrackRow, tracks)
    run = {"engine": "flow", "skeleton_version": 1, "code_version": "1", "label_revision": 1}
    ids = [(n, after + counts.videos + RUNS * n + k) for n in numbers[1:] for k in range(RUNS)]
    _insert(
        session, Job, [{**ingest, "id": number, "kind": "propagate", "video_id": n, "version": 30} for n, number in ids]
    )
    _insert(session, Run, [{**run, "id": number, "job_id": number, "video_id": n} for n, number in ids])
    review = {"verdict": "accept", "start": 0, "stop": 9, "label_revision": 2}
    said = [{**review, "video_id": n, "number": k} for n in numbers[1:] for k in range(1, REVIEWS + 1)]
    _insert(session, Review, said)
    counted = {"state": "", "poses": TRACKS * FRAMES, "labelled": 90, "reviewed": 400, "propagated": 8000}
    _insert(session, VideoShare, [{**counted, "video_id": n} for n in numbers[1::2]])


def _job(number: int, lab_id: int, counts: Counts) -> dict[str, Any]:
    """A job as a propagation leaves one; of each hundred one waits."""
    return {
        "id": number,
        "lab_id": lab_id,
        "project_id": number % (2 * counts.projects) or 2 * counts.projects,
        "kind": "propagate",
        "queue": "gpu",
        "params": {"engine": "auto", "tracks": [*range(1, TRACKS + 1)], "start": 0, "stop": FRAMES, "keyframes": None},
        "state": "queued" if number % 200 < 2 else "succeeded",
        "turn": float(number),
        "result": {"run_id": number, "cuts": {"frames": [120, 4000]}},
    }


def _blob(session: Session, name: str) -> str:
    sha256 = hashlib.sha256(name.encode()).hexdigest()
    session.execute(insert(Blob), [{"sha256": sha256, "size": 1000, "created_at": datetime.now(UTC)}])
    return sha256


def _insert(session: Session, table: type[DeclarativeBase], rows: list[dict[str, Any]]) -> None:
    for at in range(0, len(rows), _AT_ONCE):
        session.execute(insert(table), rows[at : at + _AT_ONCE])
