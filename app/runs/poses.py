"""Reading pseudo-labels: the newest visible run of each track and frame, from its slabs or segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.states import FINISHED
from app.runs import packing
from app.runs.packing import Extent, overlapping
from app.storage import Storage
from app.tables import Job, JobSegment, Run, RunSlab
from pose.formats import npy, slab
from pose.track import Track, blank


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """A track's pseudo-labels in a window of frames.

    Attributes:
        poses: The frames some run covers.
        runs: ``(F,)`` int64 run of each frame.
    """

    poses: Track
    runs: np.ndarray


def visible_runs(session: Session, video_id: int, *, ended: bool = False) -> list[int]:
    """The runs of a video that are not hidden, newest first.

    Args:
        session: The transaction.
        video_id: Whose runs.
        ended: Only those to which nothing is added any more.
    """
    query = select(Run.id).where(Run.video_id == video_id, Run.hidden_at.is_(None))
    if ended:
        query = query.join(Job, Job.id == Run.job_id).where(Job.state.in_(FINISHED))
    return list(session.scalars(query.order_by(Run.id.desc())))


def read(
    session: Session,
    storage: Storage,
    runs: Sequence[int],
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    tracks: Sequence[int] | None = None,
) -> dict[int, PseudoLabels]:
    """Read the pseudo-labels of a window.

    Args:
        session: The transaction.
        storage: Where segments are.
        runs: Which runs to read, of one video; on a frame that several cover the newest counts.
        num_keypoints: ``K`` of the skeleton to read them in.
        start: First frame.
        stop: Frame after the last.
        tracks: Only these tracks; None for all.

    Returns:
        The tracks that have any, by number.
    """
    if not runs or start >= stop:
        return {}
    window = np.arange(start, stop, dtype=np.int64)
    owners: dict[int, np.ndarray] = {}
    needed: dict[str, list[tuple[_Part, np.ndarray]]] = {}
    slabs = _slabs(session, runs, start, stop)
    for run_id, extent in packing.extents(session, runs).items():
        wanted = [track for track in extent.tracks if tracks is None or track in tracks]
        inside = slice(max(extent.start, start) - start, max(min(extent.stop, stop) - start, 0))
        if all((owners[track][inside] > 0).all() if track in owners else not window[inside].size for track in wanted):
            continue
        for part in _parts(session, run_id, extent, slabs.get(run_id, []), wanted, start, stop):
            owner = owners.setdefault(part.track, np.zeros(len(window), dtype=np.int64))
            rows = np.arange(max(part.start, start), min(part.stop, stop)) - start
            free = rows[owner[rows] == 0]
            if len(free):
                owner[free] = run_id
                needed.setdefault(part.sha256, []).append((part, free))
    poses = {number: blank(window, num_keypoints) for number in owners}
    for sha256, data in storage.get_all(list(needed)):
        for part, rows, found in _read(data, needed[sha256]):
            known = slice(min(found.num_keypoints, num_keypoints))
            for name in ("xy", "visibility", "score", "radius90"):
                getattr(poses[part.track], name)[rows, known] = getattr(found, name)[rows + start - part.start, known]
    return {
        number: PseudoLabels(target.select(owners[number] > 0), owners[number][owners[number] > 0])
        for number, target in poses.items()
    }


@dataclass(frozen=True)
class _Part:
    """Frames of a track that one object holds: a segment, or a slab."""

    track: int
    start: int
    stop: int
    sha256: str
    packed: bool


def _slabs(session: Session, runs: Sequence[int], start: int, stop: int) -> dict[int, list[RunSlab]]:
    first, last = start // slab.FRAMES, (stop - 1) // slab.FRAMES
    query = select(RunSlab).where(RunSlab.run_id.in_(runs), RunSlab.chunk.between(first, last))
    slabs: dict[int, list[RunSlab]] = {}
    for row in session.scalars(query.order_by(RunSlab.chunk, RunSlab.block)):
        slabs.setdefault(row.run_id, []).append(row)
    return slabs


def _parts(
    session: Session, run_id: int, extent: Extent, slabs: list[RunSlab], tracks: list[int], start: int, stop: int
) -> Iterator[_Part]:
    """What holds a run's poses in a window: slabs where all of them are there, else segments."""
    if len(slabs) == len(extent.chunks(start, stop)) * len(extent.blocks):
        for row in slabs:
            first, last = extent.inside(row.chunk)
            for track in extent.blocks[row.block]:
                if track in tracks:
                    yield _Part(track, first, last, row.sha256, True)
        return
    query = (
        select(JobSegment.track_number, JobSegment.start, JobSegment.stop, JobSegment.sha256)
        .join(Run, Run.job_id == JobSegment.job_id)
        .where(Run.id == run_id, JobSegment.sha256.is_not(None), overlapping(tracks, start, stop))
        .order_by(JobSegment.track_number, JobSegment.start)
    )
    for track, first, last, sha256 in session.execute(query):
        yield _Part(track, first, last, str(sha256), False)


def _read(data: bytes, wanted: list[tuple[_Part, np.ndarray]]) -> Iterator[tuple[_Part, np.ndarray, Track]]:
    if not wanted[0][0].packed:
        segment = npy.decode(data)
        yield from ((part, rows, segment) for part, rows in wanted)
        return
    packed = slab.decode(data)
    for part, rows in wanted:
        yield part, rows, packed.poses(part.track, part.start, part.stop)
