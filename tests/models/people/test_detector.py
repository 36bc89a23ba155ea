"""A network that knows people helps where it finds them, and changes nothing where it does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from models.compute.devices import Compute
from models.engines.detection import Detected
from models.engines.linear import Linear
from models.errors import CheckpointError
from models.people.detector import PeopleDetector, sureness, with_people
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose
from pose.segments import Segment
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.track import Track

FRAMES = 13
CPU = torch.device("cpu")


class Footage:
    """Frames in memory, which are counted as they are read."""

    def __init__(self, images: np.ndarray, key: str | None = None) -> None:
        self.images, self.key, self.read = images, key, 0
        self.num_frames, self.height, self.width = images.shape[:3]

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for image in self.images[start:stop]:
            self.read += 1
            yield image[..., 1] if gray else image


@pytest.fixture(scope="module")
def filmed() -> tuple[np.ndarray, Track, Skeleton]:
    spec = SceneSpec(seed=0, num_frames=FRAMES, width=200, height=200, occlusion=0, speed=0.7, action="walk")
    scene = Scene(spec)
    return np.stack(list(scene.frames())), scene.tracks[1], scene.skeleton


@pytest.fixture(scope="module")
def labels(filmed: tuple[np.ndarray, Track, Skeleton]) -> Track:
    return filmed[1].select(np.isin(np.arange(FRAMES), [0, FRAMES - 1]))


@pytest.fixture(scope="module")
def alone(network: StdPose) -> StdPoseEngine:
    return StdPoseEngine(network, "0123456789abcdef", Compute(CPU, "fp32"))


def detector_of(engine: StdPoseEngine) -> PeopleDetector:
    (detector,) = engine.detectors
    assert isinstance(detector, PeopleDetector)
    return detector


def looked(engine: StdPoseEngine, video: Footage, labels: Track) -> Detected | None:
    poses = Linear().propagate(video, labels, Segment(0, FRAMES))
    return detector_of(engine)(video, labels, poses)


def test_a_person_is_followed_better_than_by_interpolation(
    filmed: tuple[np.ndarray, Track, Skeleton], labels: Track, alone: StdPoseEngine
) -> None:
    images, truth, skeleton = filmed
    video = Footage(images)
    found = looked(with_people(alone, skeleton.keypoints), video, labels)
    assert found is not None
    believed = (found.mass > 0) & (truth.visibility > 0)
    believed[[0, -1]] = False
    assert believed.mean() > 0.5
    guess = Linear().propagate(video, labels, Segment(0, FRAMES)).xy
    error, linear = (np.linalg.norm(xy - truth.xy, axis=-1)[believed].mean() for xy in (found.xy, guess))
    assert error < 0.7 * linear


def test_with_it_poses_change_and_labels_do_not(
    filmed: tuple[np.ndarray, Track, Skeleton], labels: Track, alone: StdPoseEngine
) -> None:
    images, _, skeleton = filmed
    helped = with_people(alone, skeleton.keypoints)
    assert helped.version.startswith(f"{alone.version}-people-")
    plain, poses = (one.propagate(Footage(images), labels, Segment(0, FRAMES)) for one in (alone, helped))
    assert not np.array_equal(plain.xy, poses.xy)
    np.testing.assert_array_equal(poses.xy[[0, -1]][labels.visibility > 0], labels.xy[labels.visibility > 0])


def test_nothing_changes_where_there_is_no_person(
    filmed: tuple[np.ndarray, Track, Skeleton], labels: Track, alone: StdPoseEngine
) -> None:
    _, _, skeleton = filmed
    coarse = np.random.default_rng(0).integers(90, 140, (FRAMES, 20, 20, 3), dtype=np.uint8)
    nobody = Footage(coarse.repeat(10, axis=1).repeat(10, axis=2))
    helped = with_people(alone, skeleton.keypoints)
    assert looked(helped, nobody, labels) is None
    plain, poses = (one.propagate(nobody, labels, Segment(0, FRAMES)) for one in (alone, helped))
    for ours, theirs in zip(vars(poses).values(), vars(plain).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_what_was_seen_is_remembered_and_is_the_same_in_either_precision(
    filmed: tuple[np.ndarray, Track, Skeleton], labels: Track, alone: StdPoseEngine, network: StdPose
) -> None:
    images, _, skeleton = filmed
    helped, video = with_people(alone, skeleton.keypoints), Footage(images[:], key="walk")
    first = looked(helped, video, labels)
    assert video.read == FRAMES
    again = looked(helped, video, labels)
    assert video.read == FRAMES
    rounding = Compute(CPU, "bf16")
    other = with_people(StdPoseEngine(network, "0123456789abcdef", rounding), skeleton.keypoints)
    with rounding.autocast():
        rounded = looked(other, video, labels)
    assert video.read == 2 * FRAMES
    assert first is not None
    for one in (again, rounded):
        assert one is not None
        np.testing.assert_array_equal(one.xy, first.xy)
        np.testing.assert_array_equal(one.mass, first.mass)


def test_keypoints_that_are_no_joints_are_left_alone(
    filmed: tuple[np.ndarray, Track, Skeleton], labels: Track, alone: StdPoseEngine
) -> None:
    images, _, skeleton = filmed
    names = ["racket" if name == "nose" else name for name in skeleton.keypoints]
    found = looked(with_people(alone, names), Footage(images), labels)
    assert found is not None
    racket = names.index("racket")
    assert not found.mass[:, racket].any()
    assert found.mass[:, racket - 1].any() or found.mass[:, racket + 1].any()


def test_it_can_be_ended_at_any_frame(
    filmed: tuple[np.ndarray, Track, Skeleton], labels: Track, alone: StdPoseEngine
) -> None:
    images, _, skeleton = filmed
    left = iter([None] * 3)

    def step() -> None:
        if next(left, StopIteration) is StopIteration:
            raise InterruptedError

    video = Footage(images)
    with pytest.raises(InterruptedError):
        looked(with_people(alone, skeleton.keypoints, step), video, labels)
    assert video.read == 4


def test_who_is_no_person_is_refused(alone: StdPoseEngine) -> None:
    with pytest.raises(CheckpointError, match=r"finds people's joints.*this one has nose, tail"):
        with_people(alone, ["nose", "tail"])


def test_a_doubtful_person_is_doubted_in_every_joint() -> None:
    doubt = np.array([[0.0, 0.0, 0.0], [0.02, 0.1, 0.1], [0.0, 0.0, np.inf], [0.0, 0.24, 0.26], [0.01, 0.0, 0.0]])
    person, known = np.array([1.0, 0.8, 1.0, 1.0, 0.49]), np.ones((5, 3), dtype=bool)
    mass = sureness(doubt, person, known)
    np.testing.assert_allclose(mass[0], 0.92)
    np.testing.assert_allclose(mass[1], 0.8 * (0.92 - 1.5 * (np.array([0.02, 0.1, 0.1]) + 0.2)))
    np.testing.assert_allclose(mass[2], [0.92, 0.92, 0])
    np.testing.assert_allclose(mass[3], [0.92 - 1.5 * 0.48, 0, 0])
    np.testing.assert_array_equal(mass[4], 0)
    known[:, 1:] = False
    np.testing.assert_allclose(sureness(doubt, person, known)[3], [0.92, 0, 0])
    assert not sureness(doubt, person, known & False).any()


def test_versions_tell_skeletons_apart(filmed: tuple[np.ndarray, Track, Skeleton], alone: StdPoseEngine) -> None:
    names = list(filmed[2].keypoints)
    versions = {with_people(alone, order).version for order in (names, names[::-1])}
    assert len(versions) == 2
