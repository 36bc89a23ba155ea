"""Reading pseudo-labels: the newest visible run of each track and frame, from its slabs or segments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import invalid
from app.jobs.states import FINISHED
from app.runs import packing, stages
from app.runs.packing import Extent, overlapping
from app.runs.radii import Radii, Read
from app.storage import Step, Storage, go_on
from app.tables import Job, JobSegment, Run, RunSlab
from pose.formats import npy, slab
from pose.track import Track, blank


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """A track's pseudo-labels in a window of frames.

    Attributes:
        poses: The frames some run covers.
        runs: ``(F,)`` int64 run of each frame.
        rests: ``(F, K)`` uint16 what radii rest on, see ``app.runs.radii.state_of``; None where all are as engines gave
            them.
    """

    poses: Track
    runs: np.ndarray
    rests: np.ndarray | None = None

    def select(self, rows: np.ndarray) -> PseudoLabels:
        """Only the frames of a boolean mask; copies nothing where these are all."""
        if rows.all():
            return self
        return PseudoLabels(self.poses.select(rows), self.runs[rows], None if self.rests is None else self.rests[rows])


def visible_runs(session: Session, video_id: int, *, ended: bool = False) -> list[int]:
    """The runs of a video that are not hidden, newest first; no second stage that is not complete.

    Args:
        session: The transaction.
        video_id: Whose runs.
        ended: Only those to which nothing is added any more.
    """
    query = select(Run.id).where(Run.video_id == video_id, Run.hidden_at.is_(None), stages.is_seen())
    if ended:
        query = query.join(Job, Job.id == Run.job_id).where(Job.state.in_(FINISHED))
    return list(session.scalars(query.order_by(Run.id.desc())))


def one_of(session: Session, video_id: int, run_id: int | None, name: str = "run_id") -> list[int] | None:
    """A run that a query names, hidden or not; None where it names none.

    Raises:
        Invalid: It is no run of the video.
    """
    if run_id is None:
        return None
    if session.scalar(select(Run.id).where(Run.video_id == video_id, Run.id == run_id)) is None:
        raise invalid(f"/{name}", f"the video has no run {run_id}", "query")
    return [run_id]


def read(
    session: Session,
    storage: Storage,
    runs: Sequence[int],
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    tracks: Sequence[int] | None = None,
    fields: Collection[str] = (*slab.FIELDS,),
    step: Step = go_on,
    radii: Radii | None = None,
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
        fields: What is read of the poses; the rest stays 0. Of a video with many tracks that is most of the work.
        step: Called now and then; what it raises ends this.
        radii: How radii and scores are read; None for those that engines gave.

    Returns:
        The tracks that have any, by number.
    """
    owners, needed = plan(session, runs, start=start, stop=stop, tracks=tracks)
    window = np.arange(start, stop, dtype=np.int64)
    poses = {number: blank(window, num_keypoints) for number in owners}
    rests: dict[int, np.ndarray] = {}
    asked = fields if radii is None else {*fields, "visibility", "radius90", "score"}
    for sha256, data in storage.get_all(list(needed)):
        step()
        wanted = needed[sha256]
        for (_, rows), (part, found) in zip(wanted, parts_of(data, [part for part, _ in wanted], asked), strict=True):
            if radii is not None and (read := part.read(radii, found)) is not None:
                found |= {"radius90": read.radius90, "score": read.score}
                mine = rests.setdefault(part.track, np.zeros((len(window), num_keypoints), dtype=np.uint16))
                known = slice(min(read.rests.shape[1], num_keypoints))
                mine[rows, known] = read.rests[rows + start - part.start, known]
            for name, values in found.items():
                known = slice(min(values.shape[1], num_keypoints))
                getattr(poses[part.track], name)[rows, known] = values[rows + start - part.start, known]
    return {
        number: PseudoLabels(target, owners[number], rests.get(number)).select(owners[number] > 0)
        for number, target in poses.items()
    }


@dataclass(frozen=True)
class Part:
    """Frames of a track of a run that one object holds: a segment, or a slab."""

    run: int
    track: int
    start: int
    stop: int
    sha256: str
    packed: bool

    def read(self, radii: Radii, found: Mapping[str, np.ndarray]) -> Read | None:
        """How its radii are read, given what it holds from its first frame on."""
        place = self.track, self.start, self.sha256
        return radii.read(self.run, place, found["visibility"], found["radius90"], found["score"])


def plan(
    session: Session, runs: Sequence[int], *, start: int, stop: int, tracks: Collection[int] | None = None
) -> tuple[dict[int, np.ndarray], dict[str, list[tuple[Part, np.ndarray]]]]:
    """Find what has to be read for a window, see ``read``.

    Returns:
        By track, ``(stop - start,)`` int64 run of each frame, 0 where there is none; and by object, the parts of it
        that are needed with their rows in the window.
    """
    owners: dict[int, np.ndarray] = {}
    needed: dict[str, list[tuple[Part, np.ndarray]]] = {}
    if not runs or start >= stop:
        return owners, needed
    window = np.arange(start, stop, dtype=np.int64)
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
    return owners, needed


def _slabs(session: Session, runs: Sequence[int], start: int, stop: int) -> dict[int, list[RunSlab]]:
    first, last = start // slab.FRAMES, (stop - 1) // slab.FRAMES
    query = select(RunSlab).where(RunSlab.run_id.in_(runs), RunSlab.chunk.between(first, last))
    slabs: dict[int, list[RunSlab]] = {}
    for row in session.scalars(query.order_by(RunSlab.chunk, RunSlab.block)):
        slabs.setdefault(row.run_id, []).append(row)
    return slabs


def _parts(
    session: Session, run_id: int, extent: Extent, slabs: list[RunSlab], tracks: list[int], start: int, stop: int
) -> Iterator[Part]:
    """What holds a run's poses in a window: slabs where all of them are there, else segments."""
    among = {*tracks}
    if len(slabs) == len(extent.chunks(start, stop)) * len(extent.blocks):
        for row in slabs:
            first, last = extent.inside(row.chunk)
            for track in extent.blocks[row.block]:
                if track in among:
                    yield Part(run_id, track, first, last, row.sha256, True)
        return
    query = (
        select(JobSegment.track_number, JobSegment.start, JobSegment.stop, JobSegment.sha256)
        .join(Run, Run.job_id == JobSegment.job_id)
        .where(Run.id == run_id, JobSegment.sha256.is_not(None), overlapping(tracks, start, stop))
        .order_by(JobSegment.track_number, JobSegment.start)
    )
    for track, first, last, sha256 in session.execute(query):
        yield Part(run_id, track, first, last, str(sha256), False)


def parts_of(
    data: bytes, wanted: Sequence[Part], fields: Collection[str]
) -> Iterator[tuple[Part, dict[str, np.ndarray]]]:
    """Some parts of an object, with arrays by name from the part's first frame on."""
    if not wanted[0].packed:
        segment = npy.decode(data)
        yield from ((part, {name: getattr(segment, name) for name in fields}) for part in wanted)
        return
    origin, tracks, arrays = slab.decode_fields(data, fields)
    for part in wanted:
        place, frames = tracks.index(part.track), slice(part.start - origin, part.stop - origin)
        yield part, {name: values[place, frames] for name, values in arrays.items()}
