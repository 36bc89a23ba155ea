"""A machine's poses that came in a file, kept as a run of their own: what people said is above them, as ever."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import blobs
from app.errors import invalid
from app.jobs import states
from app.jobs.params import ImportParams, RunResult
from app.runs import packing
from app.settings import Settings
from app.storage import Storage, Stored
from app.tables import Job, JobSegment, Project, Run, Video
from app.version import VERSION
from pose.formats import npy
from pose.segments import MAX_SEGMENT_FRAMES
from pose.track import Track, blank

IMPORT = "import"

#: Most segments of a run that is imported.
MAX_SEGMENTS = 20_000


@dataclass(frozen=True)
class Poses:
    """Poses of a file in storage, in segments that cover all frames from ``start`` to ``stop`` of each track.

    Attributes:
        start: First frame with a pose.
        stop: Frame after the last.
        tracks: The file's track ids.
        segments: Track, first frame, frame after the last, and object; empty where nothing was stored.
    """

    start: int
    stop: int
    tracks: tuple[int, ...]
    segments: tuple[tuple[int, int, int, Stored], ...]


def store(storage: Storage, tracks: Mapping[int, Track], *, dry: bool) -> Poses:
    """Put poses into storage; whoever has no run refer to them sets them aside.

    Args:
        storage: Where they go.
        tracks: The poses, at least one, by the file's track ids.
        dry: Only check.

    Raises:
        Invalid: They are spread over more than ``MAX_SEGMENTS`` segments.
    """
    start = min(int(track.frames[0]) for track in tracks.values())
    stop = max(int(track.frames[-1]) for track in tracks.values()) + 1
    starts = range(start, stop, MAX_SEGMENT_FRAMES)
    if len(tracks) * len(starts) > MAX_SEGMENTS:
        sentence = f"a machine's poses of {len(tracks)} tracks over {stop - start} frames are too many for one run"
        raise invalid("/annotations", sentence)
    segments = []
    for number, track in () if dry else tracks.items():
        for first in starts:
            last = min(first + MAX_SEGMENT_FRAMES, stop)
            poses = track.between(first, last).over(blank(np.arange(first, last), track.num_keypoints))
            segments.append((number, first, last, storage.put(npy.encode(poses))))
    return Poses(start, stop, tuple(sorted(tracks)), tuple(segments))


def add(
    session: Session,
    settings: Settings,
    storage: Storage,
    project: Project,
    video: Video,
    poses: Poses,
    numbers: Mapping[int, int],
    *,
    label_revision: int,
) -> Run:
    """Write down a run of poses in storage, and the job that made it, which has succeeded.

    Args:
        session: Writes.
        settings: Tell how often packing is tried.
        storage: Where the poses are.
        project: Of the video.
        video: Whose poses.
        poses: From ``store``, not dry.
        numbers: The video's track for each of the file's.
        label_revision: The labels at that time.

    Raises:
        Busy: An object was cleared away since it was put.
    """
    now = datetime.now(UTC)
    tracks = sorted(numbers[track] for track in poses.tracks)
    params = ImportParams(engine=IMPORT, tracks=tracks, start=poses.start, stop=poses.stop)
    job = Job(
        lab_id=project.lab_id,
        project_id=project.id,
        video_id=video.id,
        kind=IMPORT,
        params=params.to_row(),
        state=states.SUCCEEDED,
        progress=1.0,
        stage="imported",
        max_attempts=1,
        started_at=now,
        finished_at=now,
    )
    session.add(job)
    session.flush()
    run = Run(
        video_id=video.id,
        job_id=job.id,
        engine=IMPORT,
        label_revision=label_revision,
        skeleton_version=project.skeleton_version,
        code_version=VERSION,
    )
    session.add(run)
    session.flush()
    job.result = RunResult(run_id=run.id).to_row()
    for stored in {segment[3].sha256: segment[3] for segment in poses.segments}.values():
        blobs.record(session, storage, stored)
    rows = [
        {
            "job_id": job.id,
            "track_number": numbers[track],
            "start": start,
            "stop": stop,
            "input_sha256": hashlib.sha256(f"{IMPORT} {stored.sha256}".encode()).hexdigest(),
            "sha256": stored.sha256,
            "attempt": 1,
        }
        for track, start, stop, stored in poses.segments
    ]
    session.execute(insert(JobSegment), rows)
    packing.queue(session, settings, run)
    return run
