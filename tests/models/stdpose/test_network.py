"""What the network promises whatever its weights are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.stdpose.network import Hints, StdPose
from models.stdpose.windows import Window, stack

_FRAMES, _POINTS = 7, 3


def refine(network: StdPose, images: Tensor, windows: list[Window], starts: list[np.ndarray]) -> Tensor:
    with torch.inference_mode():
        batch = stack(windows, np.arange(len(images)))
        start = torch.from_numpy(np.stack(starts)).float()
        others = torch.stack([start + shift for shift in range(network.config.hints)], dim=1)
        hints = Hints(others, torch.zeros(others.shape[:-1]))
        return network(network.describe(images), batch, start, hints)[-1].xy


def test_labelled_points_stay_where_they_are(network: StdPose, images: Tensor, window: Window) -> None:
    start = window.interpolate() + 5
    found = refine(network, images, [window], [start])[0]
    np.testing.assert_array_equal(found[0], window.begin.astype(np.float32))
    np.testing.assert_array_equal(found[-1], window.end.astype(np.float32))
    assert (found[1:-1] - torch.from_numpy(start[1:-1])).abs().max() > 0


def test_windows_of_a_batch_do_not_see_each_other(network: StdPose, images: Tensor, window: Window) -> None:
    start = window.interpolate()
    together = refine(network, images, [window, window], [start, start + 3])
    for number in range(2):
        alone = refine(network, images, [window], [start + 3 * number])
        torch.testing.assert_close(together[number], alone[0], atol=1e-3, rtol=0)


def test_keypoints_have_no_order(network: StdPose, images: Tensor, window: Window) -> None:
    start, order = window.interpolate(), np.array([2, 0, 1])
    straight = refine(network, images, [window], [start])[0]
    shuffled = refine(network, images, [window.select(order)], [start[:, order]])[0]
    torch.testing.assert_close(shuffled, straight[:, order], atol=1e-3, rtol=0)


def test_frames_beyond_a_keypoints_label_do_not_change_it(network: StdPose, images: Tensor, window: Window) -> None:
    window = replace(window.select(np.array([0])), after=np.array([4]))
    start = window.interpolate()
    changed = images.clone()
    changed[5:] = 0
    plain, other = (refine(network, pixels, [window], [start])[0, :5] for pixels in (images, changed))
    torch.testing.assert_close(plain, other)


def test_a_label_on_one_side_is_enough(network: StdPose, images: Tensor, window: Window) -> None:
    window = replace(window, has_after=np.zeros(_POINTS, dtype=bool), end=window.begin)
    found = refine(network, images, [window], [window.interpolate()])
    assert torch.isfinite(found).all()


def test_describing_gives_unit_vectors_at_every_stride(network: StdPose, images: Tensor) -> None:
    with torch.inference_mode():
        levels = network.describe(images)
    assert [tuple(level.shape[:3]) for level in levels] == [(7, 16, 12), (7, 8, 6), (7, 4, 3)]
    for level in levels:
        torch.testing.assert_close(level.norm(dim=-1), torch.ones(level.shape[:3]))
