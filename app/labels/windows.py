"""Reading a window of labels: what people said, what a machine made of it, or the one laid over the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Required, TypedDict, TypeVar

import numpy as np
from sqlalchemy.orm import Session

from app.labels import history
from app.labels.absences import vacancies
from app.labels.history import Labels
from app.labels.machines import Machine
from app.labels.schemas import Layer, Source
from app.reviews import standing
from app.reviews.standing import Verdicts
from app.runs import packing, poses
from app.runs.basis import Basis
from app.runs.poses import PseudoLabels
from app.runs.staleness import Grounds
from app.storage import Storage
from app.tables import Video
from app.tracks import revisions
from pose.track import Track

Thing = TypeVar("Thing")

#: About as many poses a window may have: reading more at once takes seconds and hundreds of megabytes.
MAX_POSES = 50_000

#: Most frames that a window may have.
MAX_WINDOW = 4096


class Choice(TypedDict, total=False):
    """Which poses of a window are read; see ``read``."""

    layer: Required[Layer]
    revision: int | None
    runs: Sequence[int] | None


@dataclass(frozen=True, eq=False)
class Layered:
    """One track in a window of frames: people's points over a machine's.

    Attributes:
        number: The track's number.
        poses: The frames on which anything is known or was propagated.
        human: ``(F, K)`` bool: points to which a person gave a place. Absent ones are those of ``poses``.
        stale: ``(F, K)`` bool: a machine's points that rest on labels which do not stand any more.
        accepted: ``(F, K)`` bool: a machine's points that a person accepted, and that are not stale.
        rejected: ``(F, K)`` bool: a machine's points that a person rejected.
        revisions: ``(F,)`` int64 revision of the human label, 0 where there is none.
        runs: ``(F,)`` int64 run of the pseudo-label, 0 where there is none.
        rests: ``(F, K)`` uint16 what a machine's radii rest on, see ``app.runs.radii.state_of``, 0 for other points;
            None where all are as engines gave them.
    """

    number: int
    poses: Track
    human: np.ndarray
    stale: np.ndarray
    accepted: np.ndarray
    rejected: np.ndarray
    revisions: np.ndarray
    runs: np.ndarray
    rests: np.ndarray | None = None

    @property
    def trusted(self) -> Track:
        """The poses without what is stale or rejected."""
        return self.poses.without(self.stale | self.rejected)

    def pick(self, points: np.ndarray) -> Layered:
        """Only some keypoints, by their indices."""
        by_point = {name: getattr(self, name)[:, points] for name in ("human", "stale", "accepted", "rejected")}
        rests = None if self.rests is None else self.rests[:, points]
        return replace(self, poses=self.poses.pick(points), rests=rests, **by_point)

    def select(self, rows: np.ndarray) -> Layered:
        """Only some poses, by a boolean mask or ascending positions."""
        by_row = ("human", "stale", "accepted", "rejected", "revisions", "runs")
        chosen = {name: getattr(self, name)[rows] for name in by_row}
        rests = None if self.rests is None else self.rests[rows]
        return replace(self, poses=self.poses.select(rows), rests=rests, **chosen)

    def sources(self, row: int) -> list[Source | None]:
        """``K`` entries: who made each known point of a frame."""
        return [
            None if not v else "human" if by_hand else "accepted" if accepted else "pseudo"
            for v, by_hand, accepted in zip(
                self.poses.visibility[row], self.human[row], self.accepted[row], strict=True
            )
        ]


def read(
    session: Session,
    storage: Storage,
    video: Video,
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    layer: Layer,
    revision: int | None = None,
    runs: Sequence[int] | None = None,
    most: int | None = None,
    grounds: Grounds | None = None,
    reviews: int | None = None,
    basis: Basis | None = None,
) -> list[Layered]:
    """Read a window, without a machine's poses where a point is absent, see ``pose.segments.vacant``.

    What a run has on its keyframes counts as the person's label that it is a copy of, and not at all once that label
    does not stand any more.

    Args:
        session: The transaction.
        storage: Where segments are.
        video: Whose labels.
        num_keypoints: ``K`` of the skeleton to read them in.
        start: First frame.
        stop: Frame after the last.
        layer: What to read.
        revision: Human labels as of this revision; None for the present.
        runs: Read pseudo-labels of these runs; None for all that are visible.
        most: How many of people's labels to read; None for all.
        grounds: What is known of what the runs rest on, as of ``revision``, by who reads several windows.
        reviews: The last review that counts; None for all there are.
        basis: What a machine's radii and scores are read by; None for those that engines gave.

    Returns:
        The tracks of which anything is known there, by number.

    Raises:
        More: People wrote more labels than that.
    """
    grounds = grounds or Grounds(video, num_keypoints, revision)
    human: dict[int, tuple[Track, np.ndarray]] = {}
    if layer != "pseudo":
        labels = history.read(session, video.id, num_keypoints, start=start, stop=stop, revision=revision, most=most)
        human = {number: _track(mine) for number, mine in _heard(labels.by_track().items(), grounds)}
    pseudo: dict[int, PseudoLabels] = {}
    if layer != "human":
        chosen = poses.visible_runs(session, video.id) if runs is None else runs
        here = Machine(session, storage, video, chosen, num_keypoints, start, stop)
        pseudo = here.read(basis, step=grounds.step)
        for number in revisions.deleted(session, video.id, revision):
            pseudo.pop(number, None)
    if pseudo:
        empty = vacancies(session, video.id, num_keypoints, start=start, stop=stop, revision=revision)
        pseudo = {
            number: known
            for number, found in _heard(pseudo.items(), grounds)
            if len((known := _known(found, empty, number, start)).runs)
        }
    below: dict[int, _Judged] = {}
    if pseudo:
        radii = here.radii(basis, pseudo)
        said = standing.verdicts(
            session, video, pseudo, num_keypoints, start=start, stop=stop, until=reviews, radii=radii
        )
        judged = _judged(session, grounds, pseudo, said, start=start, stop=stop)
        below = {number: found for number, found in judged if len(found.runs)}
    nobody = Track.empty(num_keypoints), np.zeros(0, dtype=np.int64)
    return [
        _merge(number, *human.get(number, nobody), below[number]) if number in below else _alone(number, *human[number])
        for number in _heard(sorted(human.keys() | below.keys()), grounds)
    ]


def ends(video: Video, start: int, stop: int | None) -> tuple[int, int]:
    """Where a window ends that somebody asks for.

    Args:
        video: Of which video.
        start: First frame.
        stop: Frame after the last; None for all that follow.

    Returns:
        The frame after the last that there is, and after the last that one answer may hold; that is ``start`` or more.
    """
    assert video.num_frames is not None
    wanted = video.num_frames if stop is None else min(stop, video.num_frames)
    return wanted, max(min(wanted, start + MAX_WINDOW), start)


def reach(
    session: Session,
    video: Video,
    *,
    start: int,
    stop: int,
    layer: Layer,
    revision: int | None = None,
    runs: Sequence[int] | None = None,
    most: int = MAX_POSES,
) -> int:
    """The frame up to which a window may go that is to hold at most about so many poses, for ``read``.

    Returns:
        The frame after the window's last: ``stop`` or less, but no less than one frame, however many poses it has.
    """
    if start >= stop:
        return stop
    end = stop
    if layer != "pseudo":
        end = history.reach(session, video.id, start=start, stop=stop, most=most, revision=revision)
    if layer != "human":
        chosen = poses.visible_runs(session, video.id) if runs is None else runs
        tracks = {track for extent in packing.extents(session, chosen).values() for track in extent.tracks}
        end = min(end, start + max(1, most // max(1, len(tracks))))
    return end


def by_frame(tracks: Sequence[Layered]) -> Iterator[tuple[Layered, int]]:
    """Each pose of a window as its track and row, in order of frame and track."""
    frames = np.concatenate([track.poses.frames for track in tracks] or [np.zeros(0, dtype=np.int64)])
    owners = np.repeat(np.arange(len(tracks)), [len(track.poses) for track in tracks])
    rows = np.concatenate([np.arange(len(track.poses)) for track in tracks] or [np.zeros(0, dtype=np.int64)])
    for index in np.lexsort((owners, frames)):
        yield tracks[owners[index]], int(rows[index])


def _heard(things: Iterable[Thing], grounds: Grounds) -> Iterator[Thing]:
    """One thing after another; before each, whoever reads for a job hears whether to go on."""
    for thing in things:
        grounds.step()
        yield thing


def _track(labels: Labels) -> tuple[Track, np.ndarray]:
    """The labels of one track, without the frames on which nothing is labelled any more."""
    rows: np.ndarray = np.any(labels.said, axis=1)
    some = labels.select(rows)
    return Track.labelled(some.frames, some.keypoints, some.absent), some.revisions


def _known(found: PseudoLabels, empty: Mapping[int, np.ndarray], number: int, start: int) -> PseudoLabels:
    """A track's poses without absent points, and without frames on which no point is left."""
    left = found.poses
    if number in empty:
        left = left.without(empty[number][left.frames - start])
    some: np.ndarray = np.any(left.visibility > 0, axis=1)
    return replace(found, poses=left).select(some)


@dataclass(frozen=True, eq=False)
class _Judged:
    """A machine's poses of a track in a window, and what they are worth.

    Attributes:
        poses: Without copies of labels that do not stand any more.
        runs: ``(F,)`` int64 run of each frame.
        copied: ``(F, K)`` bool, which points are copies of people's labels.
        stale: ``(F, K)`` bool, which points rest on labels that do not stand any more.
        verdicts: What people said of them.
        rests: ``(F, K)`` uint16 what their radii rest on, or None.
    """

    poses: Track
    runs: np.ndarray
    copied: np.ndarray
    stale: np.ndarray
    verdicts: Verdicts
    rests: np.ndarray | None

    def select(self, rows: np.ndarray) -> _Judged:
        """Only some frames, by a boolean mask."""
        return _Judged(
            self.poses.select(rows),
            self.runs[rows],
            self.copied[rows],
            self.stale[rows],
            self.verdicts.select(rows),
            None if self.rests is None else self.rests[rows],
        )


def _judged(
    session: Session,
    grounds: Grounds,
    pseudo: Mapping[int, PseudoLabels],
    said: Mapping[int, Verdicts],
    *,
    start: int,
    stop: int,
) -> Iterator[tuple[int, _Judged]]:
    runs = {int(run) for found in pseudo.values() for run in np.unique(found.runs)}
    copies = {run: grounds.copies(session, run, start, stop) for run in runs}
    for number, found in _heard(pseudo.items(), grounds):
        copied = np.zeros(found.poses.visibility.shape, dtype=bool)
        stale = copied.copy()
        for run in np.unique(found.runs).tolist():
            rows = np.flatnonzero(found.runs == run)
            frames = found.poses.frames[rows]
            stale[rows] = grounds.stale(session, run).cover(number, frames, found.poses.num_keypoints)
            if number in copies[run]:
                labelled, points = copies[run][number]
                there = np.isin(labelled, frames)
                copied[rows[np.searchsorted(frames, labelled[there])]] = points[there]
        lost = copied & stale
        left = found.poses.without(lost)
        some: np.ndarray = ~np.any(lost, axis=1) | np.any(left.visibility > 0, axis=1)
        verdicts = said.get(number) or standing.nothing(copied.shape)
        judged = _Judged(left, found.runs, copied & ~lost, stale & ~lost, verdicts, found.rests)
        yield number, judged if some.all() else judged.select(some)


def _alone(number: int, poses_: Track, revisions: np.ndarray) -> Layered:
    known = poses_.visibility > 0
    none = np.zeros_like(known)
    return Layered(number, poses_, known, none, none, none, revisions, np.zeros(len(poses_), dtype=np.int64))


def _merge(number: int, above: Track, revisions: np.ndarray, below: _Judged) -> Layered:
    merged = above.over(below.poses)
    by_hand = np.searchsorted(merged.frames, above.frames)
    by_run = np.searchsorted(merged.frames, below.poses.frames)
    known = merged.visibility > 0
    layered = Layered(
        number=number,
        poses=merged,
        human=np.zeros(known.shape, dtype=bool),
        stale=np.zeros(known.shape, dtype=bool),
        accepted=np.zeros(known.shape, dtype=bool),
        rejected=np.zeros(known.shape, dtype=bool),
        revisions=np.zeros(len(merged), dtype=np.int64),
        runs=np.zeros(len(merged), dtype=np.int64),
        rests=None if below.rests is None else np.zeros(known.shape, dtype=np.uint16),
    )
    layered.human[by_run] = below.copied & known[by_run]
    layered.human[by_hand] |= above.visibility > 0
    machine = (known & ~layered.human)[by_run]
    if layered.rests is not None and below.rests is not None:
        layered.rests[by_run] = np.where(machine, below.rests, 0)
    layered.stale[by_run] = below.stale & machine
    layered.accepted[by_run] = below.verdicts.accepted & ~below.stale & machine
    layered.rejected[by_run] = below.verdicts.rejected & machine
    layered.revisions[by_hand] = revisions
    layered.runs[by_run] = below.runs
    return layered
