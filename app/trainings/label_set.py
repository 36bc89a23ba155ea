"""The labels that a training learns from, and those it is measured on: read as exports are, then parted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.database import Database
from app.jobs.params import TrainingParams, VideoSnapshot
from app.labels import history, windows
from app.labels.windows import Layered
from app.projects import service as projects
from app.runs.staleness import Grounds
from app.snapshots import layer_of
from app.storage import Storage
from app.tables import Run, Video
from app.trainings.dependence import Dependence, dependence
from app.trainings.spans import Spans
from pose.damage import inside
from pose.skeleton import Skeleton
from pose.track import Track, join

# Frames and poses that are read at a time: between two of them a cancellation is heard.
_WINDOW = 1024
_POSES = 10_000

_COUNTED = ("human", "accepted", "pseudo", "absent", "held_out", "left_out", "stale", "rejected")

_Rows = tuple[Track, np.ndarray]  # poses, and how much each of their points counts


@dataclass(frozen=True, eq=False)
class LabelledTrack:
    """Poses of one track of one video.

    Attributes:
        video: Which video.
        track: Its track's number.
        poses: ``(F, K)``.
        weight: ``(F, K)`` float32, how much each point counts: 1 for a person's label, also of what is absent; for a
            pseudo-label its probability of being right, times what pseudo-labels count, and 1 if a person accepted it;
            0 where nothing is known or may be learnt.
        around: Poses that tell where the subject is looked for where it is absent; ``poses`` themselves where None.
    """

    video: Video
    track: int
    poses: Track
    weight: np.ndarray
    around: Track | None = None


@dataclass(frozen=True, eq=False)
class LabelSet:
    """The labels that a training learns from and those it is measured on.

    Attributes:
        skeleton: Of all of it, without retired keypoints.
        learnt: What it learns from, in order of video and track.
        held_out: Human labels that it does not learn from, likewise.
        counts: Poses: ``human``, ``accepted`` and ``pseudo`` that are learnt from, ``held_out``, and pseudo-labels that
            are ``left_out`` because they depend on held-out labels, or have points that are not learnt because they are
            ``stale`` or ``rejected``. ``absent``: frames on which a subject or points of it are absent, learnt from.
        runs_left_out: Runs of which nothing is learnt, for the same reason.
    """

    skeleton: Skeleton
    learnt: list[LabelledTrack]
    held_out: list[LabelledTrack]
    counts: dict[str, int]
    runs_left_out: list[int]


def read(
    database: Database, storage: Storage, project_id: int, wanted: TrainingParams, step: Callable[[], None]
) -> LabelSet:
    """Read the labels of a training.

    Args:
        database: Where labels are.
        storage: Where pseudo-labels are.
        project_id: Whose labels.
        wanted: The training.
        step: Called now and then; what it raises ends this.
    """
    snapshot, held = wanted.snapshot, Spans.from_json(wanted.held_out)
    learnt: list[LabelledTrack] = []
    held_out: list[LabelledTrack] = []
    counts: Counter[str] = Counter(dict.fromkeys(_COUNTED, 0))
    runs_left_out: list[int] = []
    with database.session(readonly=True) as session:
        whole = projects.skeleton(session, project_id, snapshot.skeleton_version)
    for part in snapshot.videos:
        step()
        with database.session(readonly=True) as session:
            video = session.get_one(Video, part.id)
            human = _held_out(session, video, part.revision, whole, held, step)
            frames = np.unique(np.concatenate([one.poses.frames for one in human] or [np.zeros(0, dtype=np.int64)]))
            runs = {number: session.get_one(Run, number) for number in part.runs}
            known = {number: dependence(session, run, video, held, frames, step) for number, run in runs.items()}
        runs_left_out += [number for number, depends in known.items() if depends.wholly]
        held_out += human
        counts["held_out"] += sum(int(one.poses.visibility.any(axis=1).sum()) for one in human)
        reader = _Reader(database, storage, video, part, whole, wanted, held, known, counts)
        learnt += reader.read(step)
    return LabelSet(whole.active(), learnt, held_out, dict(counts), runs_left_out)


def _held_out(
    session: Session, video: Video, revision: int, skeleton: Skeleton, held: Spans, step: Callable[[], None]
) -> list[LabelledTrack]:
    if not held.of(video.id):
        return []
    parts = [
        history.read(session, video.id, skeleton.size, start=start, stop=stop, revision=revision)
        for start, stop in history.parts(session, video, step, revision=revision)
    ]
    labels = history.join(parts, skeleton.size).pick(skeleton.points)
    found = []
    for number, mine in labels.by_track().items():
        step()
        track = mine.track(number)
        kept = track.select(
            held.cover(video.id, track.frames) & track.said.any(axis=1) & ~inside(video.damaged or (), track.frames)
        )
        if len(kept):
            found.append(LabelledTrack(video, number, kept, kept.said.astype(np.float32), track))
    return found


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads what is learnt of one video, window by window."""

    database: Database
    storage: Storage
    video: Video
    part: VideoSnapshot
    skeleton: Skeleton
    wanted: TrainingParams
    held: Spans
    known: Mapping[int, Dependence]
    counts: Counter[str]

    def read(self, step: Callable[[], None]) -> Iterator[LabelledTrack]:
        assert self.video.num_frames is not None
        parts: dict[int, list[_Rows]] = {}
        grounds = Grounds(self.video, self.skeleton.size, self.part.revision, step)
        start = 0
        while start < self.video.num_frames:
            step()
            start, tracks = self._window(grounds, start, min(start + _WINDOW, self.video.num_frames))
            for track in tracks:
                step()
                parts.setdefault(track.number, []).append(self._weighed(track))
        for number, rows in sorted(parts.items()):
            step()
            poses, weight = join([part for part, _ in rows]), np.concatenate([part for _, part in rows])
            some: np.ndarray = np.any(weight > 0, axis=1)
            if some.any():
                yield LabelledTrack(self.video, number, poses.select(some), weight[some])

    def _window(self, grounds: Grounds, start: int, stop: int) -> tuple[int, Sequence[Layered]]:
        # A run that is not used at all must not hide an earlier one that is.
        runs = [number for number, known in self.known.items() if not known.wholly]
        what: windows.Choice = {
            "layer": layer_of(self.wanted.include),
            "revision": self.part.revision,
            "runs": runs,
        }
        with self.database.session(readonly=True) as session:
            end = windows.reach(session, self.video, start=start, stop=stop, most=_POSES, **what)
            tracks = windows.read(
                session,
                self.storage,
                self.video,
                self.skeleton.size,
                start=start,
                stop=end,
                reviews=self.part.reviews,
                grounds=grounds,
                **what,
            )
        return end, [track.pick(self.skeleton.points) for track in tracks]

    def _weighed(self, track: Layered) -> _Rows:
        poses = track.poses
        made = (poses.visibility > 0) & ~track.human
        depends = np.zeros(len(poses), dtype=bool)
        for number, known in self.known.items():
            mine = track.runs == number
            depends[mine] = known.cover(track.number, poses.frames[mine])
        human, accepted, pseudo = (float(kind in self.wanted.include) for kind in ("human", "accepted", "pseudo"))
        weight = np.where(track.human, human, pseudo * self.wanted.pseudo_weight * poses.score)
        weight[track.accepted] = accepted
        weight[poses.absent] = human
        weight[~poses.said | (made & depends[:, None]) | track.stale | track.rejected] = 0
        free = ~self.held.cover(self.video.id, poses.frames) & ~inside(self.video.damaged or (), poses.frames)
        weight[~free] = 0
        self.counts["left_out"] += int((made.any(axis=1) & depends & free).sum())
        self.counts["stale"] += int((track.stale.any(axis=1) & free).sum())
        self.counts["rejected"] += int((track.rejected.any(axis=1) & free).sum())
        by_hand = (track.human & (weight > 0)).any(axis=1)
        by_verdict = (track.accepted & (weight > 0)).any(axis=1) & ~by_hand
        self.counts["human"] += int(by_hand.sum())
        self.counts["accepted"] += int(by_verdict.sum())
        self.counts["pseudo"] += int(((made & (weight > 0)).any(axis=1) & ~by_hand & ~by_verdict).sum())
        self.counts["absent"] += int((poses.absent & (weight > 0)).any(axis=1).sum())
        return poses, weight.astype(np.float32)
