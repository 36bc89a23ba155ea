"""Having an estimator find the poses of labels that it has not learnt from, each in the box of its label."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np

from models.estimators.checkpoints import Loaded
from models.estimators.predict import estimate
from models.evaluation.bootstrap import BLOCK_FRAMES
from models.evaluation.judged import LabelledPrediction
from models.training.subjects import Subject
from pose.frames import RecentFrames, no_step
from pose.track import Track, blank, join
from pose.video import VideoReader

_SUBJECT = 1  # that is looked for on whole frames where nothing tells where it is, see ``models.estimators.predict``


def examine(
    loaded: Loaded,
    subjects: Sequence[Subject],
    *,
    places: np.ndarray | None = None,
    device: str = "auto",
    precision: str = "auto",
    step: Callable[[], None] = no_step,
) -> list[LabelledPrediction]:
    """Find poses on the labelled frames of subjects; where one is absent, in the box in which it would be expected.

    Args:
        loaded: The estimator. Keypoints of the subjects that it does not know are missing from what it finds.
        subjects: With labels that it has not learnt from.
        places: ``(K,)`` where the subjects' keypoints stand among those that it knows, -1 for one that it does not;
            in the same order where left out.
        device: Where it runs, see ``models.compute.devices.choose``.
        precision: In which precision it computes there.
        step: Called now and then; what it raises ends this.

    Returns:
        Each subject, in the same order, with its labels and what was found on their frames.

    Raises:
        VideoError, OSError: A video cannot be read.
    """
    judged = []
    for subject in subjects:
        truth, around = subject.track, subject.whereabouts
        where = {_SUBJECT: around} if len(around) else None
        found = [blank(truth.frames[:0], truth.num_keypoints)]
        with VideoReader(subject.path, subject.table) as video:
            frames = RecentFrames(video)
            for start, stop in _stretches(truth.frames):
                looking = estimate(
                    frames, loaded, where, start=start, stop=stop, device=device, precision=precision, step=step
                )
                for _, _, poses in looking:
                    found.append(_placed(poses, truth.num_keypoints, places))
        judged.append(LabelledPrediction(subject.name, truth, join(found)))
    return judged


def sampled(subjects: Sequence[Subject], most: int, seed: int) -> list[Subject]:
    """Subjects with about as many labelled frames as ``most``, in whole blocks of time, drawn at random."""
    share = most / max(1, sum(subject.labels for subject in subjects))
    if share >= 1:
        return list(subjects)
    rng = np.random.default_rng((seed, 0x5A3))
    kept = []
    for subject in subjects:
        block = subject.track.frames // BLOCK_FRAMES
        drawn = subject.select(np.isin(block, [one for one in np.unique(block) if rng.random() < share]))
        if len(drawn.track):
            kept.append(drawn)
    return kept


class SubjectFrames:
    """Frames of subjects for pictures; a context manager.

    Args:
        subjects: Whose.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = {subject.name: subject for subject in subjects}
        self._videos: dict[str, VideoReader] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __call__(self, name: str, frame: int) -> np.ndarray:
        """``(H, W, 3)`` uint8 RGB: a frame of the video that the subject of this name is in."""
        subject = self._subjects[name]
        if subject.video not in self._videos:
            self._videos[subject.video] = self._open.enter_context(VideoReader(subject.path, subject.table))
        return self._videos[subject.video].read(frame)


def _stretches(frames: np.ndarray) -> Iterator[tuple[int, int]]:
    """The first frame, and the frame after the last, of each run of consecutive frames."""
    for stretch in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
        if len(stretch):
            yield int(stretch[0]), int(stretch[-1]) + 1


def _placed(poses: Track, count: int, places: np.ndarray | None) -> Track:
    """Poses of the keypoints of a subject; those that the estimator does not know are not known."""
    if places is None:
        places = np.where(np.arange(count) < poses.num_keypoints, np.arange(count), -1)
    known = np.flatnonzero(places >= 0)
    return poses.pick(places[known]).spread(known, count)
