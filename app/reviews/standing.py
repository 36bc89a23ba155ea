"""Which of a machine's poses are accepted or rejected: the reviews that stand, laid over the poses that are seen.

A review is about poses that somebody looked at, so it counts where these are seen: of the run that was seen then, or of
a later one that has the very same segment there, because nothing that it depends on had changed. Where a newer run
shows something else it does not count, and does again once that run is hidden. Of several that count the last one does,
keypoint by keypoint; one that was undone is as if it had never been.

What a review with an error bound is about was settled by the radii of that moment, so it is looked up by these: by the
basis that the review names (``app.runs.basis``), whatever is known by now.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.runs.packing import overlapping
from app.runs.poses import PseudoLabels
from app.tables import JobSegment, Review, ReviewSpan, Run, Video
from pose.damage import inside

ACCEPT, REJECT, UNDO = "accept", "reject", "undo"

#: Gives ``(F, K)`` radii of a track's poses as a review reads them: by the basis of this name (None for those that
#: engines gave), of the run that was looked at.
RadiusOf = Callable[[str | None, int, int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Verdicts:
    """What people said of a track's poses.

    Attributes:
        accepted: ``(F, K)`` bool.
        rejected: ``(F, K)`` bool, nowhere where ``accepted`` is.
    """

    accepted: np.ndarray
    rejected: np.ndarray

    def select(self, rows: np.ndarray) -> Verdicts:
        """Those of the frames that ``rows``, a boolean mask or positions, picks."""
        return Verdicts(self.accepted[rows], self.rejected[rows])


def nothing(shape: tuple[int, ...]) -> Verdicts:
    """Nobody said anything of ``(F, K)`` points."""
    return Verdicts(np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool))


def last(session: Session, video_id: int) -> int:
    """The number of a video's last review; 0 where there is none."""
    query = select(Review.number).where(Review.video_id == video_id).order_by(Review.number.desc()).limit(1)
    return session.scalar(query) or 0


def undone(session: Session, video_id: int, until: int | None = None) -> set[int]:
    """The numbers of the reviews that are undone, as of the review ``until``; an undo can be undone too."""
    query = select(Review.number, Review.undoes).where(Review.video_id == video_id, Review.verdict == UNDO)
    if until is not None:
        query = query.where(Review.number <= until)
    taken_back: set[int] = set()
    for number, undoes in session.execute(query.order_by(Review.number.desc())):
        if number not in taken_back and undoes is not None:
            taken_back.add(undoes)
    return taken_back


def any_accepts(session: Session, videos: Mapping[int, int]) -> bool:
    """Whether any review that accepts stands, of videos as of their reviews of these numbers."""
    for video_id, until in videos.items():
        query = select(Review.number).where(
            Review.video_id == video_id, Review.verdict == ACCEPT, Review.number <= until
        )
        if set(session.scalars(query)) - undone(session, video_id, until):
            return True
    return False


def verdicts(
    session: Session,
    video: Video,
    shown: Mapping[int, PseudoLabels],
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    until: int | None = None,
    whole: bool = False,
    radii: RadiusOf,
) -> dict[int, Verdicts]:
    """What is said of the poses that are seen in a window.

    Args:
        session: The transaction.
        video: Whose.
        shown: The poses by track.
        num_keypoints: Theirs.
        start: First frame.
        stop: Frame after the last.
        until: The last review that counts; None for all there are.
        whole: Only reviews of all keypoints.
        radii: What the radii of ``shown`` are by the basis that a review names.

    Returns:
        The tracks of which anything is said, by number, with a row for each of their poses.
    """
    query = (
        select(ReviewSpan, Review.verdict, Review.keypoints, Review.max_radius90, Review.basis_sha256)
        .join(Review, (Review.video_id == ReviewSpan.video_id) & (Review.number == ReviewSpan.number))
        .where(ReviewSpan.video_id == video.id, ReviewSpan.start < stop, ReviewSpan.stop > start)
        .order_by(ReviewSpan.number)
    )
    if until is not None:
        query = query.where(ReviewSpan.number <= until)
    if whole:
        query = query.where(Review.keypoints.is_(None))
    rows = [row for row in session.execute(query) if row[0].track_number in shown]
    if not rows:
        return {}
    gone = undone(session, video.id, until)
    runs = {span.run_id for span, *_ in rows}.union(*(np.unique(found.runs).tolist() for found in shown.values()))
    segments = Segments(session, [*shown], runs, start, stop)
    found: dict[int, Verdicts] = {}
    # What follows each other and is said alike is laid together: somebody accepts thousands of frames one by one.
    alike = groupby((row for row in rows if row[0].number not in gone), key=lambda row: tuple(map(repr, row[1:])))
    for _, group in alike:
        said = list(group)
        _, verdict, keypoints, most, basis = said[0]
        for track, run, frames in _places(said, shown, segments, start, stop):
            poses = shown[track].poses
            if track not in found:
                found[track] = nothing(poses.visibility.shape)
            points = _points(keypoints, num_keypoints)
            mine = frames[poses.frames - start][:, None] & points & (poses.visibility > 0)
            if most is not None and mine.any():
                mine &= radii(basis, run, track) <= most
            found[track].accepted[mine] = verdict == ACCEPT
            found[track].rejected[mine] = verdict == REJECT
    for track, each in found.items():
        # Another frame's picture is shown there, so nobody can have seen whether the pose is right.
        each.accepted[inside(video.damaged or (), shown[track].poses.frames)] = False
    return found


def _points(keypoints: list[int] | None, size: int) -> np.ndarray:
    if keypoints is None:
        return np.ones(size, dtype=bool)
    return np.isin(np.arange(size), keypoints)


def _places(
    said: list[Any], shown: Mapping[int, PseudoLabels], segments: Segments, start: int, stop: int
) -> Iterator[tuple[int, int, np.ndarray]]:
    """By track and run: ``(stop - start,)`` bool, where the poses that are seen are those that were looked at."""
    looked_at: dict[int, dict[int, np.ndarray]] = {}
    for span, *_ in said:
        edges = looked_at.setdefault(span.track_number, {}).setdefault(
            span.run_id, np.zeros(stop - start + 1, dtype=np.int64)
        )
        edges[max(span.start, start) - start] += 1
        edges[min(span.stop, stop) - start] -= 1
    for track, by_run in looked_at.items():
        owner = np.zeros(stop - start, dtype=np.int64)
        owner[shown[track].poses.frames - start] = shown[track].runs
        for run, edges in by_run.items():
            there = np.cumsum(edges[:-1]) > 0
            same = there & (owner == run)
            other = there & (owner != run) & (owner > 0)
            if other.any():
                same |= other & segments.same(track, run, owner)
            yield track, run, same


class Segments:
    """The segments of runs in a window, read when they are first asked for."""

    def __init__(self, session: Session, tracks: Collection[int], runs: Collection[int], start: int, stop: int) -> None:
        self._session = session
        self._tracks = tracks
        self._runs = runs
        self._window = start, stop
        self._read: dict[tuple[int, int], np.ndarray] | None = None

    def same(self, track: int, run: int, owner: np.ndarray) -> np.ndarray:
        """``(stop - start,)`` bool: where a run has the very segment of the run that owns the frame."""
        if self._read is None:
            self._read = self._load()
        nowhere = np.zeros(len(owner), dtype=np.int64)
        mine, theirs = self._read.get((run, track), nowhere), nowhere.copy()
        for other in np.unique(owner[owner > 0]).tolist():
            there = owner == other
            theirs[there] = self._read.get((other, track), nowhere)[there]
        same: np.ndarray = (mine == theirs) & (mine > 0)
        return same

    def _load(self) -> dict[tuple[int, int], np.ndarray]:
        """By run and track: a number for each frame that stands for its segment's place and poses."""
        start, stop = self._window
        query = (
            select(Run.id, JobSegment.track_number, JobSegment.start, JobSegment.stop, JobSegment.sha256)
            .join(JobSegment, JobSegment.job_id == Run.job_id)
            .where(Run.id.in_(self._runs), JobSegment.sha256.is_not(None), overlapping(self._tracks, start, stop))
        )
        numbers: dict[tuple[int, str], int] = {}
        found: dict[tuple[int, int], np.ndarray] = {}
        for run, track, first, end, sha256 in self._session.execute(query):
            frames = found.setdefault((run, track), np.zeros(stop - start, dtype=np.int64))
            number = numbers.setdefault((first, str(sha256)), len(numbers) + 1)
            frames[max(first, start) - start : min(end, stop) - start] = number
        return found
