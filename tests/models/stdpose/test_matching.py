"""Matches are where a keypoint's looks are found, and their path keeps to one of several that look alike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models.backbones.config import STRIDES
from models.stdpose.correlation import descriptors
from models.stdpose.matching import match
from models.stdpose.windows import Window, stack

_SIDE, _FRAMES = 96, 7


def scene(places: np.ndarray, decoy: tuple[float, float] | None = None) -> tuple[torch.Tensor, ...]:
    """Maps on which one descriptor lies at a place that moves, and maybe at another that does not."""
    maps = []
    for stride in STRIDES:
        y, x = (torch.arange(_SIDE // stride) * stride + (stride - 1) / 2 for _ in range(2))
        level = torch.zeros(_FRAMES, len(y), len(x), 2)
        for frame, place in enumerate(places):
            spots = [place] if decoy is None else [place, decoy]
            height = sum(
                torch.exp(-((x[None] - float(a)) ** 2 + (y[:, None] - float(b)) ** 2) / (2 * stride**2))
                for a, b in spots
            )
            level[frame, ..., 0], level[frame, ..., 1] = height, 0.2
        maps.append(F.normalize(level, dim=-1))
    return tuple(maps)


def window_of(places: np.ndarray) -> Window:
    return Window(
        times=np.arange(_FRAMES),
        before=np.zeros(1, dtype=int),
        after=np.full(1, _FRAMES - 1),
        has_before=np.ones(1, dtype=bool),
        has_after=np.ones(1, dtype=bool),
        begin=places[:1],
        end=places[-1:],
    )


def found(maps: tuple[torch.Tensor, ...], window: Window, count: int = 3):
    batch = stack([window], np.arange(_FRAMES))
    templates = [descriptors(m, batch.anchor_rows, batch.anchor_xy, s, 1) for m, s in zip(maps, STRIDES, strict=True)]
    return match(maps, templates, batch, torch.from_numpy(window.interpolate())[None].float(), count, 160.0)


@pytest.fixture
def bowed() -> np.ndarray:
    """A way that leaves the straight line between its ends."""
    share = np.linspace(0, 1, _FRAMES)
    return np.stack([20 + 50 * share, 40 + 24 * np.sin(np.pi * share)], axis=-1)


def test_the_best_match_is_where_the_keypoint_is(bowed: np.ndarray) -> None:
    matches = found(scene(bowed), window_of(bowed))
    assert np.abs(matches.xy[0, 0, :, 0].numpy() - bowed).max() < 2.5
    assert (matches.height[0, 0] > matches.height[0, 1] - 1e-6).all()


def test_the_path_stays_with_the_keypoint_beside_one_that_looks_alike(bowed: np.ndarray) -> None:
    matches = found(scene(bowed, decoy=(70.0, 12.0)), window_of(bowed))
    assert np.abs(matches.path[0, :, 0].numpy() - bowed).max() < 4


def test_there_are_as_many_matches_as_asked_for_however_plain_the_frame_is(bowed: np.ndarray) -> None:
    plain = tuple(torch.full((_FRAMES, _SIDE // s, _SIDE // s, 2), 0.5**0.5) for s in STRIDES)
    matches = found(plain, window_of(bowed), count=4)
    assert matches.xy.shape == (1, 4, _FRAMES, 1, 2)
    assert torch.isfinite(matches.xy).all()
    assert torch.isfinite(matches.path).all()
