"""Training clips: the same for the same seed, and true."""

from __future__ import annotations

import numpy as np
import pytest

from models.pretraining.augment import augment
from models.pretraining.clips import Clip, clips


@pytest.fixture(scope="module")
def made() -> list[Clip]:
    return [clip for number in (3, 4) for clip in clips(7, number, 3)]


def test_the_same_numbers_give_the_same_clips(made: list[Clip]) -> None:
    again = list(clips(7, 3, 3))
    assert len(again) == 3
    for first, second in zip(made, again, strict=False):
        assert first.images.tobytes() == second.images.tobytes()
        assert first.flow.tobytes() == second.flow.tobytes()


def test_clips_are_what_the_network_takes(made: list[Clip]) -> None:
    for clip in made:
        frames, height, width, _ = clip.images.shape
        assert height % 16 == width % 16 == 0
        assert max(height, width) <= 176
        shape = (len(clip.window.times), len(clip.window.before))
        assert clip.xy.shape == (*shape, 2) == clip.flow.shape
        assert clip.visibility.shape == shape
        assert 0 <= clip.window.times[0] <= clip.window.times[-1] < frames
        assert (clip.window.valid & ~clip.window.anchored).any()


def test_labels_are_near_the_truth(made: list[Clip]) -> None:
    for clip in made:
        row, column = np.nonzero(clip.window.anchored)
        distance = np.linalg.norm((clip.window.interpolate() - clip.xy)[row, column], axis=-1)
        assert (distance < 0.1 * clip.size).all()


def test_augmentation_moves_points_with_their_pixels() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        images = np.zeros((2, 40, 56, 3), dtype=np.uint8)
        images[:, 9:12, 19:22] = 255
        changed, xy, _ = augment(rng, images, np.full((2, 1, 2), (20.0, 10.0)), np.full((2, 1), 2, dtype=np.uint8))
        x, y = np.rint(xy[0, 0]).astype(int)
        contrast = np.abs(changed[0].astype(float) - np.median(changed[0], axis=(0, 1))).sum(axis=-1)
        assert contrast[y, x] > 0.4 * contrast.max() or contrast.max() < 60
