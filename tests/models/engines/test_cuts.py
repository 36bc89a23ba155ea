"""Cuts are found where shots meet, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engines.cuts import REACH, Cuts
from pose.synthetic import Scene, SceneSpec
from tests.models.gray_frames import Footage

SHOT = 24


class GrayFootage(Footage):
    """Where nobody may ask for colours."""

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        assert gray
        return super().frames(start, stop, gray=True)


def rendered(**spec: object) -> np.ndarray:
    scene = Scene(SceneSpec(**{"num_frames": SHOT, "width": 160, "height": 120, **spec}))
    return np.stack([frame.mean(axis=-1).astype(np.uint8) for frame in scene.frames()])


@pytest.fixture(scope="module")
def shots() -> list[np.ndarray]:
    """Three places, filmed by hand."""
    return [
        rendered(seed=2, camera_motion=0.5, shake=0.5),
        rendered(seed=3, kind="quadruped", camera_motion=0.5),
        rendered(seed=5, kind="fly"),
    ]


def cuts(frames: np.ndarray) -> list[int]:
    return Cuts().within(GrayFootage(frames), 0, len(frames))


def test_shots_begin_where_they_were_joined(shots: list[np.ndarray]) -> None:
    assert cuts(np.concatenate(shots)) == [SHOT, 2 * SHOT]
    assert cuts(np.concatenate(shots[::-1])) == [SHOT, 2 * SHOT]


def test_a_short_shot_is_found(shots: list[np.ndarray]) -> None:
    assert cuts(np.concatenate([shots[0], shots[1][:6], shots[2]])) == [SHOT, SHOT + 6]


def test_a_cut_lies_between_pictures_that_stand_still(shots: list[np.ndarray]) -> None:
    assert cuts(np.repeat(np.stack([shots[0][0], shots[1][0]]), 10, axis=0)) == [10]


def level(frames: np.ndarray, gain: float, offset: float) -> np.ndarray:
    return np.clip(gain * frames + offset, 0, 255)


def flash(frames: np.ndarray) -> None:
    frames[12:14] = level(frames[12:14], 1.8, 60)


def black(frames: np.ndarray) -> None:
    frames[10:16] = 0


def black_end(frames: np.ndarray) -> None:
    frames[10:] = 0


def fade_in(frames: np.ndarray) -> None:
    frames *= np.linspace(0, 1, len(frames))[:, None, None]


def lights_off(frames: np.ndarray) -> None:
    frames[12:] *= 0.4


def lights_on(frames: np.ndarray) -> None:
    frames[:12] *= 0.3


def garbage(frames: np.ndarray) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (frames.shape[1] // 8, frames.shape[2] // 8))
    frames[10:15] = blocks.repeat(8, 0).repeat(8, 1)


def one_frame_of_noise(frames: np.ndarray) -> None:
    frames[12] = np.random.default_rng(0).integers(0, 256, frames.shape[1:])


def noise_to_the_end(frames: np.ndarray) -> None:
    frames[12:] = np.random.default_rng(0).integers(0, 256, frames[12:].shape)


def grain(frames: np.ndarray) -> None:
    frames[:] = np.clip(frames + np.random.default_rng(0).normal(0, 30, frames.shape), 0, 255)


def coarse_keyframes(frames: np.ndarray) -> None:
    frames[::8] = frames[::8] // 24 * 24


def frozen_then_jump(frames: np.ndarray) -> None:
    frames[4:16] = frames[4]


def bumped_camera(frames: np.ndarray) -> None:
    frames[12:, :, 24:] = frames[12:, :, :-24].copy()


@pytest.mark.parametrize(
    "spoil",
    [
        flash,
        black,
        black_end,
        fade_in,
        lights_off,
        lights_on,
        garbage,
        one_frame_of_noise,
        noise_to_the_end,
        grain,
        coarse_keyframes,
        frozen_then_jump,
        bumped_camera,
    ],
)
def test_what_is_no_cut_is_not_taken_for_one(shots: list[np.ndarray], spoil: Callable[[np.ndarray], None]) -> None:
    for shot in shots:
        frames = shot.astype(np.float64)
        spoil(frames)
        assert cuts(frames.astype(np.uint8)) == []


@pytest.mark.parametrize("step", [1, 3])
def test_a_wild_camera_is_no_cut(step: int) -> None:
    wild = rendered(seed=11, camera_motion=1.0, shake=1.0, speed=1.0, num_frames=60)
    assert cuts(wild[::step]) == []


def test_an_interruption_is_not_the_end_of_a_shot(shots: list[np.ndarray]) -> None:
    assert cuts(np.concatenate([shots[0][:12], shots[1][: REACH - 3], shots[0][12:]])) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (47, 63), (48, 64), (49, 65), (500, 3)])
def test_any_size_of_frame_can_be_looked_at(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (12, *size), dtype=np.uint8)
    assert cuts(frames) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_frames_have_no_cut(shots: list[np.ndarray], count: int) -> None:
    assert cuts(np.concatenate([shots[0][:count], shots[1][: count // 2]])) == []


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(0, 3 * SHOT, 8)), width=st.integers(1, 30))
def test_the_order_of_asking_changes_nothing(shots: list[np.ndarray], order: list[int], width: int) -> None:
    frames = np.concatenate(shots)
    found, video = Cuts(), GrayFootage(frames)
    for start in order:
        stop = min(start + width, len(frames))
        assert found.within(video, start, stop) == [c for c in (SHOT, 2 * SHOT) if start <= c < stop]


def test_each_frame_is_looked_at_once(shots: list[np.ndarray]) -> None:
    video = GrayFootage(np.concatenate(shots * 4))
    found = Cuts()
    for start in range(0, video.num_frames, 20):
        found.within(video, start, min(start + 20, video.num_frames))
    assert video.read == video.num_frames
    assert found.scanned == [(0, video.num_frames)]
    assert found.frames == list(range(SHOT, video.num_frames, SHOT))
    found.within(video, 0, video.num_frames)
    assert video.read == video.num_frames


def test_what_was_found_before_is_taken_up(shots: list[np.ndarray]) -> None:
    video = GrayFootage(np.concatenate(shots))
    first = Cuts()
    first.within(video, 0, SHOT + 5)
    video.read = 0
    again = Cuts(first.frames, [list(span) for span in first.scanned])
    assert again.within(video, 0, SHOT + 5) == [SHOT]
    assert video.read == 0
    assert again.within(video, 0, 3 * SHOT) == [SHOT, 2 * SHOT]
    assert again.scanned == [(0, 3 * SHOT)]


def test_the_shot_around_a_frame(shots: list[np.ndarray]) -> None:
    video, found = GrayFootage(np.concatenate(shots)), Cuts()
    assert found.shot_start(video, SHOT, 0) == SHOT
    assert found.shot_start(video, SHOT - 1, 0) is None
    assert found.shot_start(video, 2 * SHOT + 3, SHOT) == 2 * SHOT
    assert found.shot_start(video, 2 * SHOT - 1, SHOT) is None
    assert found.shot_stop(video, 0, 3 * SHOT) == SHOT
    assert found.shot_stop(video, SHOT, 3 * SHOT) == 2 * SHOT
    assert found.shot_stop(video, SHOT, 2 * SHOT) is None
    assert found.shot_stop(video, 2 * SHOT, 3 * SHOT) is None


def test_a_search_goes_no_farther_than_the_next_cut(shots: list[np.ndarray]) -> None:
    video = GrayFootage(np.concatenate([shots[0], shots[1], np.repeat(shots[2], 50, axis=0)]))
    assert Cuts().shot_stop(video, 0, video.num_frames) == SHOT
    assert video.read < 400
