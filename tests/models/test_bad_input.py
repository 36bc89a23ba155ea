"""Every engine gives sane poses on odd labels and spoilt videos, read from real files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from models.engines.engine import Engine
from models.propagate import plan_tracks, propagate
from models.registry import CLASSICAL
from models.stdpose.engine import StdPoseEngine
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join
from pose.video import VideoReader
from pose.video_writer import VideoWriter

FIELDS = ("frames", "xy", "visibility", "score", "radius90")

#: A point is said not to be known by a score below this.
UNKNOWN = 0.3


@pytest.fixture(params=[*CLASSICAL, "stdpose"])
def engine(request: pytest.FixtureRequest, untrained: StdPoseEngine) -> Engine:
    return untrained if request.param == "stdpose" else CLASSICAL[request.param]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Sequence[np.ndarray]], VideoReader]]:
    """Frames as a video file, open for reading."""
    opened: list[VideoReader] = []

    def make(frames: Sequence[np.ndarray]) -> VideoReader:
        path: Path = tmp_path_factory.mktemp("video") / "video.mp4"
        with VideoWriter(path, 25, frames[0].shape[1], frames[0].shape[0]) as writer:
            for frame in frames:
                writer.write(np.ascontiguousarray(frame))
        opened.append(VideoReader(path))
        return opened[-1]

    yield make
    for video in opened:
        video.close()


@dataclass(frozen=True, eq=False)
class Filmed:
    """Frames and the truth about the subjects on them."""

    frames: list[np.ndarray]
    tracks: dict[int, Track]


@cache
def filmed(num_frames: int = 20, seed: int = 4, **spec: object) -> Filmed:
    scene = Scene(SceneSpec(**{"seed": seed, "num_frames": num_frames, "width": 160, "height": 120, **spec}))
    return Filmed(list(scene.frames()), scene.tracks)


def sparse(track: Track, *frames: int) -> Track:
    return track.select(np.isin(track.frames, frames))


def points(frames: list[int], xy: object, visibility: int = 2) -> Track:
    places = np.asarray(xy, dtype=np.float32)
    return Track.labelled(frames, np.concatenate([places, np.full((*places.shape[:2], 1), visibility)], axis=-1))


def fill(video: VideoReader, keyframes: Track, engine: Engine) -> Track:
    """Poses on all frames, checked for what must hold whatever the input."""
    poses = join([part for _, _, part in propagate(video, {1: keyframes}, engine=engine)])
    assert list(poses.frames) == list(range(video.num_frames))
    for name in ("xy", "score", "radius90"):
        assert np.isfinite(getattr(poses, name)).all()
    assert ((poses.score >= 0) & (poses.score <= 1)).all()
    assert (poses.radius90 >= 0).all()
    absent = poses.visibility == 0
    for name in ("xy", "score", "radius90"):
        assert not getattr(poses, name)[absent].any()
    known = keyframes.visibility > 0
    rows = poses.select(keyframes.frames)
    assert rows.xy[known].tobytes() == keyframes.xy[known].tobytes()
    assert rows.visibility[known].tobytes() == keyframes.visibility[known].tobytes()
    assert (rows.score[known] == 1).all()
    assert (rows.radius90[known] == 0).all()
    return poses


LABELS = {
    "one keyframe": points([9], [[(70, 40), (80, 70), (75, 90)]]),
    "neighbouring keyframes": points([9, 10], [[(70, 40), (80, 70)], [(71, 40), (80, 71)]]),
    "outside the image": points([0, 19], [[(-900, -40), (80, 70)], [(700, 40), (80, 5000)]]),
    "first and last pixel": points([0, 19], [[(0, 0), (159, 119)]] * 2),
    "all at one place": points([2, 15], [[(80, 60)] * 5] * 2),
    "a single keypoint": points([2, 15], [[(80, 60)]] * 2),
    "hidden": points([0, 10, 19], [[(70, 40), (80, 70)]] * 3, visibility=1),
    "a jump": points([9, 10], [[(5, 5), (20, 20)], [(150, 110), (130, 100)]]),
    "all frames": points(list(range(20)), [[(40 + t, 40), (60 + t, 70)] for t in range(20)]),
}


@pytest.mark.parametrize("name", LABELS)
def test_odd_labels(name: str, write: Callable[..., VideoReader], engine: Engine) -> None:
    poses = fill(write(filmed().frames), LABELS[name], engine)
    assert (poses.visibility > 0).all()


def test_200_keypoints(write: Callable[..., VideoReader], engine: Engine) -> None:
    xy = np.random.default_rng(0).uniform((20, 20), (140, 100), (2, 200, 2))
    poses = fill(write(filmed().frames[:4]), points([0, 3], xy), engine)
    assert (poses.visibility == 2).all()


def test_a_keypoint_labelled_on_one_side_only(write: Callable[..., VideoReader], engine: Engine) -> None:
    labels = np.full((2, 2, 3), (70, 60, 2), dtype=np.float32)
    labels[1, 1] = 0
    poses = fill(write(filmed().frames), Track.labelled([0, 19], labels), engine)
    assert (poses.visibility > 0).all()
    assert poses.score[18, 1] < 1


def test_hidden_labels_come_back_hidden(write: Callable[..., VideoReader], engine: Engine) -> None:
    poses = fill(write(filmed().frames), LABELS["hidden"], engine)
    assert (poses.visibility == 1).all()


def spoilt(frames: list[np.ndarray], how: str) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    bad = {
        "black": lambda frame: np.zeros_like(frame),
        "white": lambda frame: np.full_like(frame, 255),
        "frozen": lambda frame: frames[5],
        "noise": lambda frame: rng.integers(0, 256, frame.shape, dtype=np.uint8),
        "torn": lambda frame: np.roll(frame, 40, axis=0),
    }[how]
    return [bad(frame) if 6 <= index < 14 else frame for index, frame in enumerate(frames)]


@pytest.mark.parametrize("how", ["black", "white", "frozen", "noise", "torn"])
def test_spoilt_stretches(how: str, write: Callable[..., VideoReader], engine: Engine) -> None:
    scene = filmed()
    keyframes = sparse(scene.tracks[1], 0, 19)
    poses = fill(write(spoilt(scene.frames, how)), keyframes, engine)
    labelled = (keyframes.visibility > 0).any(axis=0)
    assert (poses.visibility[:, labelled] > 0).all()
    assert (poses.score[6:14, labelled] < 1).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_video_that_shows_nothing(value: int, write: Callable[..., VideoReader], engine: Engine) -> None:
    blank = write([np.full((96, 128, 3), value, dtype=np.uint8)] * 12)
    poses = fill(blank, points([0, 11], [[(30, 30), (60, 60)], [(60, 40), (90, 70)]]), engine)
    assert (poses.visibility == 2).all()
    assert poses.xy.min() > 0
    assert (poses.xy < 128).all()


def test_far_from_its_only_label_a_point_is_unknown(write: Callable[..., VideoReader], engine: Engine) -> None:
    """A hundred frames from the only label, on a picture that never changes, nothing says where a body is."""
    frozen = write([filmed().frames[0]] * 120)
    poses = fill(frozen, points([0], [[(70, 40), (80, 70), (75, 90)]]), engine)
    assert poses.score[100:].max() < UNKNOWN
    assert poses.radius90[119].min() > poses.radius90[1].max()


def test_between_labels_far_apart_in_the_dark_a_moving_point_is_unknown(
    write: Callable[..., VideoReader], engine: Engine
) -> None:
    """Pixels that show nothing cannot tell how a point came from one label to a distant other.

    In the middle of 120 black frames between labels that lie more than the subject's size apart.
    """
    scene = filmed()
    dark = write([scene.frames[0], *[np.zeros_like(scene.frames[0])] * 120, scene.frames[-1]])
    keyframes = points([0, 121], [[(20, 30), (30, 50), (25, 70)], [(120, 50), (130, 70), (125, 100)]])
    poses = fill(dark, keyframes, engine)
    assert poses.score[40:80].max() < UNKNOWN


def test_a_subject_that_leaves_and_comes_back(write: Callable[..., VideoReader], engine: Engine) -> None:
    """Its labels on the frames around its absence hold while it is away, but not as sure as labels."""
    scene = filmed(30)
    empty = np.broadcast_to(np.median(scene.frames, axis=0).astype(np.uint8), scene.frames[0].shape)
    away = [empty if 10 <= index < 20 else frame for index, frame in enumerate(scene.frames)]
    keyframes = sparse(scene.tracks[1], 0, 9, 20, 29)
    poses = fill(write(away), keyframes, engine)
    labelled = (keyframes.visibility > 0).any(axis=0)
    assert (poses.visibility[:, labelled] > 0).all()
    assert (poses.score[12:18, labelled] < 1).all()


def test_a_cut_ends_what_is_known(write: Callable[..., VideoReader], engine: Engine) -> None:
    first, second = filmed(), filmed(kind="quadruped", seed=3)
    video = write([*first.frames, *second.frames])
    poses = fill(video, sparse(first.tracks[1], 0, 12), engine)
    assert (poses.visibility[:20] > 0).any(axis=1).all()
    assert not poses.visibility[20:].any()
    assert not poses.score[20:].any()


def test_subjects_that_cross_keep_their_labels_apart(write: Callable[..., VideoReader], engine: Engine) -> None:
    scene = filmed(24, seed=5, subjects=2, crossing=True, width=240)
    video = write(scene.frames)
    keyframes = {number: sparse(track, 0, 12, 23) for number, track in scene.tracks.items()}
    together: dict[int, list[Track]] = {number: [] for number in keyframes}
    for number, _, part in propagate(video, keyframes, engine=engine):
        together[number].append(part)
    for number, labels in keyframes.items():
        alone = fill(video, labels, engine)
        assert equal(alone, join(together[number]))


def equal(a: Track, b: Track) -> bool:
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in FIELDS)


@pytest.mark.parametrize("how", ["black", "noise"])
def test_neither_repetition_nor_order_changes_a_result(
    how: str, write: Callable[..., VideoReader], engine: Engine
) -> None:
    scene = filmed()
    video = write([*spoilt(scene.frames, how), *filmed(kind="fly", seed=5).frames[:10]])
    keyframes = {1: sparse(scene.tracks[1], 3, 10, 16)}
    places = plan_tracks(keyframes, 0, video.num_frames)
    forward, again, backward = (
        {
            (number, segment): poses
            for number, segment, poses in propagate(video, keyframes, engine=engine, segments=order)
        }
        for order in (places, places, places[::-1])
    )
    for place in places:
        assert equal(forward[place], again[place])
        assert equal(forward[place], backward[place])


def test_a_video_of_one_frame(write: Callable[..., VideoReader], engine: Engine) -> None:
    poses = fill(write(filmed().frames[:1]), points([0], [[(70, 40), (80, 70)]]), engine)
    assert (poses.score == 1).all()


def test_a_frame_of_the_least_size(write: Callable[..., VideoReader], engine: Engine) -> None:
    rng = np.random.default_rng(0)
    tiny = write([rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(8)])
    poses = fill(tiny, points([0, 7], [[(3, 3), (9, 12)], [(4, 3), (9, 11)]]), engine)
    assert (poses.visibility == 2).all()


def test_ultra_high_definition(write: Callable[..., VideoReader], engine: Engine) -> None:
    small = filmed().frames
    large = [np.kron(frame, np.ones((18, 24, 1), dtype=np.uint8)) for frame in small[:4]]
    assert large[0].shape == (2160, 3840, 3)
    truth = filmed().tracks[1]
    scale = np.array([24, 18], dtype=np.float32)
    keyframes = sparse(truth, 0, 3)
    labels = np.concatenate([keyframes.xy * scale, keyframes.visibility[..., None]], axis=-1)
    poses = fill(write(large), Track.labelled(keyframes.frames, labels), engine)
    labelled = (keyframes.visibility > 0).any(axis=0)
    assert (poses.visibility[:, labelled] > 0).all()
