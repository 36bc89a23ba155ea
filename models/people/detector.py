"""A network that knows people as a detector beside propagation; only where somebody asks for it.

The network was trained on many people and on none of this video, so its error at the labels is taken off, as an
estimator's is (``models.estimators.detector``). On small or bent people it fails as a whole: how much its errors at the
labels differ over the whole person says how far any of its joints is believed. That gate is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.engines.detection import Detected
from models.engines.lru_cache import CacheKey, LruCache
from models.engines.stored_arrays import size
from models.errors import CheckpointError
from models.estimators.detector import PER_SHARE, SUREST, WORST, anchored
from models.people.network import LANDMARKS, PeopleNetwork, load
from models.people.sight import Aim, Look, keypoints_of, see
from models.stdpose.engine import StdPoseEngine
from models.weights import PEOPLE, digest
from pose import boxes
from pose.frames import FrameSource, OnStep, no_step
from pose.joints import is_person, joints_of
from pose.track import Track

_VERSION = 1
_LEAST_PERSON = 0.5  # probability of a person below which nothing is believed
_WHOLE = 2.0  # times the median doubt of the person is added to each keypoint's
_NO_LABEL = 0.5  # doubt of a keypoint without a label near, share of the size
_MOST = 0.5  # share of the size: what is expected to be off by more is not believed


@dataclass(frozen=True, eq=False)
class PeopleDetector:
    """See ``models.engines.detection.Detect``.

    Args:
        network: On the device; it computes in float32.
        joints: For each keypoint of the labels the joints it is in the middle of, see ``pose.joints``.
        told: What tells the network's weights from others.
        memory: Where what was seen in videos that have a key is kept.
        step: Called before each frame is looked at; what it raises ends the propagation.
    """

    network: PeopleNetwork
    joints: Sequence[tuple[str, ...]]
    told: str
    memory: LruCache
    step: OnStep = no_step

    def __call__(self, video: FrameSource, keyframes: Track, poses: Track) -> Detected | None:
        """The network's keypoints, less its error at the labels; None where it is sure of nothing."""
        known = (poses.visibility > 0) & np.array([bool(named) for named in self.joints])
        aim, begin, count = Aim(self.joints), int(poses.frames[0]), len(poses)
        aims = {begin + row: aim.at(poses.xy[row], known[row]) for row in range(count)}
        looks = {frame: look for frame, look in aims.items() if look is not None}
        landmarks, person = np.zeros((count, len(LANDMARKS), 2)), np.zeros(count)
        for frame, (places, probability) in self._see(video, looks).items():
            landmarks[frame - begin], person[frame - begin] = places, probability[0]
        xy, doubt = keypoints_of(landmarks, self.joints), np.full(known.shape, np.inf)
        extent = np.maximum(np.linalg.norm(boxes.around(poses.xy, poses.visibility)[:, 2:], axis=-1), 1.0)
        labels = keyframes.between(begin, begin + count)
        labelled = labels.visibility > 0
        for k in np.flatnonzero(known.any(axis=0)):
            told = labelled[:, k] & np.isin(labels.frames, [*looks])
            frames, places = labels.frames[told], labels.xy[told, k].astype(np.float64)
            xy[:, k], doubt[:, k] = anchored(xy[:, k], poses.frames, extent, frames, places)
        mass = sureness(doubt, person, known)
        between = np.ones(mass.shape, dtype=bool)
        between[labels.frames - begin] = ~labelled
        if not mass[between].any():
            return None
        return Detected(np.where(known[..., None], xy, poses.xy), mass)

    def _see(self, video: FrameSource, looks: Mapping[int, Look]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """``(L, 2)`` landmarks in frame pixels and ``(1,)`` the probability of a person, by frame."""
        found = {frame: self._remembered(video, frame, look) for frame, look in looks.items()}
        missing = np.array([frame for frame, value in found.items() if value is None])
        for run in np.split(missing, np.flatnonzero(np.diff(missing) != 1) + 1) if len(missing) else []:
            first = int(run[0])
            for frame, image in enumerate(video.frames(first, int(run[-1]) + 1), start=first):
                self.step()
                places, probability = see(self.network, image, looks[frame])
                value = (places, np.array([probability]))
                found[frame] = value
                if video.key is not None:
                    self.memory.put(self._place(video.key, frame, looks[frame]), value, size(value))
        return {frame: value for frame, value in found.items() if value is not None}

    def _remembered(self, video: FrameSource, frame: int, look: Look) -> tuple[np.ndarray, np.ndarray] | None:
        return None if video.key is None else self.memory.get(self._place(video.key, frame, look))

    def _place(self, key: str, frame: int, look: Look) -> CacheKey:
        return CacheKey(key, "people", (look, frame, self.told, _VERSION))


def sureness(doubt: np.ndarray, person: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The confidence in each keypoint.

    Args:
        doubt: ``(F, K)`` how far off each keypoint may be, see ``anchored``.
        person: ``(F,)`` the probability that there is a person.
        known: ``(F, K)`` keypoints that may be asked for.

    Returns:
        ``(F, K)`` 0 to 1; 0 where nothing is believed.
    """
    off = np.where(np.isfinite(doubt), doubt, _NO_LABEL)
    some = known.any(axis=1)
    whole = np.full((len(off), 1), np.inf)
    whole[some] = np.nanmedian(np.where(known, off, np.nan)[some], axis=1, keepdims=True)
    expected = off + _WHOLE * whole
    believed = known & (doubt <= WORST) & (expected <= _MOST) & (person >= _LEAST_PERSON)[:, None]
    sure: np.ndarray = np.where(believed, np.clip(SUREST - PER_SHARE * expected, 0.05, 1.0) * person[:, None], 0.0)
    return sure


def with_people(
    engine: StdPoseEngine, keypoints: Sequence[str], step: OnStep = no_step, weights: Path = PEOPLE
) -> StdPoseEngine:
    """The engine with what a network that knows people sees among its candidates.

    Args:
        engine: Not fitted to a video yet.
        keypoints: Names of the labels' keypoints, which tell the joints.
        step: Called before each frame is looked at; what it raises ends the propagation.
        weights: See ``models/weights/README.md``.

    Raises:
        CheckpointError: The keypoints are not those of a person, or the weights cannot be read.
    """
    if not is_person(keypoints):
        raise CheckpointError(
            "'people' finds people's joints, and takes a skeleton that has shoulders, hips and six joints of arms and "
            "legs under names such as left_wrist or r_knee, and no tail, paw or wing; this one has "
            f"{', '.join(keypoints)}"
        )
    joints, network = joints_of(keypoints), load(weights).to(engine.compute.device)
    sha256 = digest(weights)
    told = hashlib.sha256(f"{_VERSION} {sha256} {joints}".encode()).hexdigest()
    detector = PeopleDetector(network, joints, sha256, engine.memory, step)
    return engine.with_detector(detector, f"{engine.version}-people-{told[:12]}")
