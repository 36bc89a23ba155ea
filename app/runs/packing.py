"""Packing a run for reading: its segments, hundreds an hour and track, become a slab for every 1024 frames.

A propagation that has succeeded queues a job that packs its run. Nothing waits for it: a run is read from its segments
wherever it is not packed yet, and the poses are the same bit for bit (``app.runs.poses``). Segments stay, since later
runs reuse them.

A slab is an object like any other, named by its digest, and a row of ``run_slab`` names it. It depends on nothing but
its segments, so that

* whoever packs a run, however often it was begun, makes the same objects, and each row is as good as the last one;
* a run after a correction shares all slabs but those that the correction changed: it takes a megabyte or two, where one
  file for each run would take all of it again (90 MB an hour of five tracks), and no segment is read for the others.

A window is read from a folder twice as fast as from segments, from S3 five times; a single frame from a folder takes a
millisecond longer (``benchmarks/results/dense_reads.md``).

So there is no one object that is the run's Zarr store. Nor is there a folder of them written by Zarr, which would name
objects by their place: half of them could be there, and two workers could disagree. ``app.runs.archive`` puts the store
together for those who download it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from app.jobs import lanes, ledger
from app.jobs.params import PackingParams
from app.jobs.states import QUEUED, RUNNING, SUCCEEDED
from app.settings import Settings
from app.storage import Stored
from app.tables import Blob, Job, JobSegment, Project, Run, RunSlab, Video
from app.trash import visible
from pose.formats.slab import FRAMES, TRACKS
from pose.segments import MAX_SEGMENT_FRAMES

PACK = "pack"

_PRIORITY = -1  # people wait for everything else
_VERSION = 1  # of what is made of the same segments
_AT_ONCE = 5000  # runs that a statement names


@dataclass(frozen=True)
class Extent:
    """What a run covers, in slabs.

    Attributes:
        start: First frame.
        stop: Frame after the last.
        tracks: Track numbers, ascending.
    """

    start: int
    stop: int
    tracks: tuple[int, ...]

    @property
    def room(self) -> int:
        """Tracks of a full slab."""
        return min(TRACKS, len(self.tracks))

    @property
    def blocks(self) -> list[tuple[int, ...]]:
        """The tracks of the slabs that lie side by side."""
        return [self.tracks[first : first + TRACKS] for first in range(0, len(self.tracks), TRACKS)]

    def chunks(self, start: int = 0, stop: int | None = None) -> range:
        """Numbers of the slabs along the frames, those that have any of the frames ``start <= frame < stop``."""
        first, last = max(self.start, start), self.stop if stop is None else min(self.stop, stop)
        return range(first // FRAMES, -(-last // FRAMES)) if first < last else range(0)

    def inside(self, chunk: int) -> tuple[int, int]:
        """The first of a slab's frames that the run covers, and the frame after the last."""
        return max(self.start, chunk * FRAMES), min(self.stop, (chunk + 1) * FRAMES)


@dataclass(frozen=True)
class Piece:
    """A finished segment."""

    track: int
    start: int
    stop: int
    sha256: str

    @property
    def canonical(self) -> str:
        """Its text in the digests that slabs are found by; never changes, whatever becomes of this class."""
        return f"Piece(track={self.track}, start={self.start}, stop={self.stop}, sha256='{self.sha256}')"


@dataclass(frozen=True)
class Wanted:
    """A slab that is to be made.

    Attributes:
        chunk: Its number along the frames.
        block: Its number along the tracks.
        tracks: Its tracks.
        room: Tracks of a full slab of the same run.
        pieces: The segments that have frames of it.
    """

    chunk: int
    block: int
    tracks: tuple[int, ...]
    room: int
    pieces: tuple[Piece, ...]

    @property
    def input_sha256(self) -> str:
        """Digest of all that the slab depends on."""
        tracks, pieces = _listed(map(str, self.tracks)), _listed(piece.canonical for piece in self.pieces)
        return hashlib.sha256(f"({_VERSION}, {self.chunk}, {tracks}, {self.room}, {pieces})".encode()).hexdigest()


def _listed(parts: Iterable[str]) -> str:
    """As Python writes tuples."""
    written = [*parts]
    return f"({', '.join(written)}{',' if len(written) == 1 else ''})"


def queue(session: Session, settings: Settings, run: Run) -> Job:
    """Queue the packing of a run whose segments are all there."""
    video = session.get_one(Video, run.video_id)
    project = session.get_one(Project, video.project_id)
    extent = extents(session, [run.id])[run.id]
    return ledger.enqueue(
        session,
        project,
        PACK,
        PackingParams(run_id=run.id).to_row(),
        queue=lanes.of_packing(len(extent.tracks) * (extent.stop - extent.start)),
        video_id=video.id,
        priority=_PRIORITY,
        max_attempts=settings.max_attempts,
    )


def unpacked(session: Session, video_id: int | None = None) -> list[Run]:
    """Runs, of one video or of all, whose propagation has succeeded and that are neither packed nor about to be."""
    about_to = Job.kind == PACK, Job.state.in_((QUEUED, RUNNING)), ~Job.cancel_requested
    waiting = select(Job.params["run_id"].as_integer()).where(*about_to)
    done = select(Run).join(Job, Job.id == Run.job_id).where(Job.state == SUCCEEDED, Run.id.not_in(waiting))
    if video_id is not None:
        done = done.where(Run.video_id == video_id)
    else:
        done = done.where(Run.video_id.in_(select(Video.id).join(Project).where(visible.VIDEO)))
    runs = session.scalars(done.order_by(Run.id)).all()
    there: set[int] = set()
    for at in range(0, len(runs), _AT_ONCE):
        there |= packed(session, [run.id for run in runs[at : at + _AT_ONCE]])
    return [run for run in runs if run.id not in there]


def extents(session: Session, runs: Collection[int]) -> dict[int, Extent]:
    """What runs cover, newest run first."""
    wanted = Job.params["start"].as_integer(), Job.params["stop"].as_integer(), Job.params["tracks"]
    query = select(Run.id, *wanted).join(Job, Job.id == Run.job_id).where(Run.id.in_(runs)).order_by(Run.id.desc())
    return {run_id: Extent(start, stop, tuple(tracks)) for run_id, start, stop, tracks in session.execute(query)}


def missing(session: Session, run: Run, extent: Extent, chunk: int) -> list[Wanted]:
    """The slabs of some frames of a run that are not there yet."""
    there = set(session.scalars(select(RunSlab.block).where(RunSlab.run_id == run.id, RunSlab.chunk == chunk)))
    wanted = {block: tracks for block, tracks in enumerate(extent.blocks) if block not in there}
    if not wanted:
        return []
    rows = session.execute(
        select(JobSegment.track_number, JobSegment.start, JobSegment.stop, JobSegment.sha256)
        .where(JobSegment.job_id == run.job_id, JobSegment.sha256.is_not(None))
        .where(overlapping(extent.tracks, chunk * FRAMES, (chunk + 1) * FRAMES))
        .order_by(JobSegment.track_number, JobSegment.start)
    )
    pieces: dict[int, list[Piece]] = {}
    for track, start, stop, sha256 in rows:
        if sha256 is not None:
            pieces.setdefault(track, []).append(Piece(track, start, stop, sha256))
    return [
        Wanted(
            chunk,
            block,
            tracks,
            extent.room,
            tuple(piece for track in sorted(tracks) for piece in pieces.get(track, ())),
        )
        for block, tracks in wanted.items()
    ]


def overlapping(tracks: Collection[int], start: int, stop: int) -> ColumnElement[bool]:
    """Segments of these tracks that have any of the frames ``start <= frame < stop``.

    No segment is longer than ``MAX_SEGMENT_FRAMES``, so that few rows of the job's are looked at.
    """
    return and_(
        JobSegment.track_number.in_(tracks),
        JobSegment.start > start - MAX_SEGMENT_FRAMES,
        JobSegment.start < stop,
        JobSegment.stop > start,
    )


def known(session: Session, run: Run, wanted: Sequence[Wanted]) -> dict[str, Stored]:
    """Slabs that other runs of the video were packed into, by what they depend on."""
    rows = session.execute(
        select(RunSlab.input_sha256, Blob.sha256, Blob.size)
        .join(Blob, Blob.sha256 == RunSlab.sha256)
        .join(Run, Run.id == RunSlab.run_id)
        .where(Run.video_id == run.video_id, RunSlab.input_sha256.in_([one.input_sha256 for one in wanted]))
    )
    return {input_sha256: Stored(sha256, size) for input_sha256, sha256, size in rows}


def is_packed(session: Session, run: Run) -> bool:
    """Whether all slabs of a run are there."""
    return run.id in packed(session, [run.id])


def packed(session: Session, runs: Collection[int]) -> set[int]:
    """Those of some runs of which all slabs are there."""
    query = select(RunSlab.run_id, func.count()).where(RunSlab.run_id.in_(runs)).group_by(RunSlab.run_id)
    there: dict[int, int] = {run_id: count for run_id, count in session.execute(query)}  # noqa: C416
    return {
        run_id
        for run_id, extent in extents(session, runs).items()
        if there.get(run_id, 0) == len(extent.chunks()) * len(extent.blocks)
    }
