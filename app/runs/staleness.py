"""Where a run rests on labels that do not stand any more.

A run's pose depends on each keypoint's neighbouring labels in time (``pose.segments``). Where one of these was moved
or taken back since, by whatever act, the keypoint's poses are *stale*, from the label before to the one after; so are
those around a frame on which a point was said to be absent. Where somebody labelled more between labels that stand,
what was computed from those is not stale: it can be improved, but nothing that it rests on has turned out wrong. A
network that was fitted to the video learnt from all labels; that alone makes no pose stale.

What a run has on its keyframes are copies of people's labels: no machine's poses, and of no worth without the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from cachetools import LRUCache
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.jobs.params import FillingParams, RunParams, cuts_of
from app.labels import history
from app.runs.keyframes import keyframes_of, used
from app.storage import go_on
from app.tables import Job, Label, Run, Video
from pose.segments import reach
from pose.track import Track


@dataclass(frozen=True, eq=False)
class Staleness:
    """Where a run is stale.

    Attributes:
        spans: By track, for each keypoint ``(S, 2)`` int64 first frames and frames after the last, ascending and apart.
    """

    spans: Mapping[int, list[np.ndarray]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(len(spans) for track in self.spans.values() for spans in track)

    def cover(self, track: int, frames: np.ndarray, num_keypoints: int) -> np.ndarray:
        """``(F, K)`` bool: which points of a track are stale on ``(F,)`` frames."""
        covered = np.zeros((len(frames), num_keypoints), dtype=bool)
        for k, spans in enumerate(self.spans.get(track, [])):
            if len(spans):
                place = np.searchsorted(spans[:, 0], frames, side="right") - 1
                covered[:, k] = (place >= 0) & (frames < spans[place, 1])
        return covered


class Grounds:
    """What a video's runs rest on, judged by its labels as of one revision. What is found out of a run is kept.

    Args:
        video: Whose runs.
        num_keypoints: ``K`` of the skeleton to read labels in.
        revision: The labels to judge by; None for the present ones. A run from later labels is not stale.
        step: Called now and then while much is read; what it raises ends that.
    """

    def __init__(
        self, video: Video, num_keypoints: int, revision: int | None = None, step: Callable[[], None] = go_on
    ) -> None:
        self.step = step
        self._video = video
        self._size = num_keypoints
        self._revision = video.revision if revision is None else revision
        self._runs: dict[int, tuple[Run, Job]] = {}
        self._stale: dict[int, Staleness] = {}

    def expect(self, session: Session, runs: Sequence[tuple[Run, Job]]) -> None:
        """Find out with one question which of some runs cannot be stale: nothing was said of their tracks since."""
        self._runs |= {run.id: (run, job) for run, job in runs}
        judged = [
            (run, {*FillingParams.of(job.params).tracks})
            for run, job in runs
            if self._revision > run.label_revision
            and _rests_on_labels(job)
            and _known(self._place(session, run)) is None
        ]
        if not judged:
            return
        query = (
            select(Label.track_number, func.max(Label.revision))
            .where(Label.video_id == self._video.id, Label.revision <= self._revision)
            .where(Label.revision > min(run.label_revision for run, _ in judged))
            .group_by(Label.track_number)
        )
        said: dict[int, int] = {number: last for number, last in session.execute(query)}  # noqa: C416
        for run, tracks in judged:
            if all(said.get(track, 0) <= run.label_revision for track in tracks):
                self._stale[run.id] = Staleness()
                _keep(self._place(session, run), self._stale[run.id])

    def stale(self, session: Session, run_id: int) -> Staleness:
        """Where a run of the video is stale."""
        if run_id not in self._stale:
            run, job = self._find(session, run_id)
            self._stale[run_id] = self._judge(session, run, job)
        return self._stale[run_id]

    def copies(self, session: Session, run_id: int, start: int, stop: int) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """A run's copies of people's labels on the frames ``start <= frame < stop``.

        Returns:
            By track: ``(L,)`` frames, and ``(L, K)`` bool, which points are copies.
        """
        run, job = self._find(session, run_id)
        if not _propagated(job):
            return {}
        filled, revision = FillingParams.of(job.params), run.label_revision
        labels = history.read(
            session, self._video.id, self._size, start=start, stop=stop, revision=revision, tracks=filled.tracks
        )
        copies = {}
        for number, mine in labels.by_track().items():
            kept = used(filled, mine.frames)
            copies[number] = mine.frames[kept], mine.keypoints[kept][..., 2] > 0
        return copies

    def _find(self, session: Session, run_id: int) -> tuple[Run, Job]:
        if run_id not in self._runs:
            run = session.get_one(Run, run_id)
            self._runs[run_id] = run, session.get_one(Job, run.job_id)
        return self._runs[run_id]

    def _judge(self, session: Session, run: Run, job: Job) -> Staleness:
        if self._revision <= run.label_revision or not _rests_on_labels(job):
            return Staleness()
        place = self._place(session, run)
        found = _known(place)
        if found is None:
            found = self._work_out(session, run, job)
            _keep(place, found)
        return found

    def _place(self, session: Session, run: Run) -> tuple[Any, ...]:
        """What was said up to a revision never changes."""
        return str(session.get_bind().engine.url), run.id, run.created_at, self._revision, self._size

    def _work_out(self, session: Session, run: Run, job: Job) -> Staleness:
        since, until, filled = run.label_revision, self._revision, FillingParams.of(job.params)
        tracks = filled.tracks
        parts = [
            history.changed(
                session, self._video.id, self._size, since=since, until=until, tracks=tracks, start=start, stop=stop
            )
            for start, stop in history.parts(session, self._video, self.step, revision=until)
        ]
        then, now = (history.join([both[index] for both in parts], self._size) for index in (0, 1))
        moved = (then.keypoints != now.keypoints).any(axis=-1) | (then.absent != now.absent)
        lost = then.said & moved & used(filled, then.frames)[:, None]
        # That a point is absent contradicts the poses around it, also where nothing was said of it before.
        lost |= now.absent & ~then.said
        touched = {int(number) for number in then.tracks[lost.any(axis=1)]}
        if not touched:
            return Staleness()
        spans = {}
        cuts = np.array(cuts_of(job.result), dtype=np.int64)
        for number, keyframes in self._keyframes(session, job, run, touched).items():
            mine = then.tracks == number
            changes = [then.frames[mine & lost[:, k]] for k in range(keyframes.num_keypoints)]
            spans[number] = reach(keyframes, changes, start=filled.start, stop=filled.stop, cuts=cuts)
        return Staleness(spans)

    def _keyframes(self, session: Session, job: Job, run: Run, only: Collection[int]) -> dict[int, Track]:
        return keyframes_of(session, job, run, self._video, only=only, step=self.step)


# What was worked out last: the windows of a video are read one after another, by many.
_remembered: LRUCache[tuple[Any, ...], Staleness] = LRUCache(256)
_lock = Lock()


def _known(place: tuple[Any, ...]) -> Staleness | None:
    with _lock:
        return _remembered.get(place)


def _keep(place: tuple[Any, ...], found: Staleness) -> None:
    with _lock:
        _remembered[place] = found


def _propagated(job: Job) -> bool:
    return job.kind == "propagate"


def _rests_on_labels(job: Job) -> bool:
    """An estimator looks around labels and what was propagated from them, unless it looks at whole frames."""
    return _propagated(job) or RunParams.of(job.params).whole_frame is False
