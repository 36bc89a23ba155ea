"""Keypoint synthesis, residuals and the mask that they give."""

from __future__ import annotations

import torch

from models.stdpose.correlation import offsets
from models.stdpose.heatmaps import DynamicAwareMask, HeatmapSynthesis, residuals

_RADIUS = 3
_CELLS = (2 * _RADIUS + 1) ** 2


def test_labelled_frames_enter_synthesis_as_truth() -> None:
    synthesis = HeatmapSynthesis(maps=2, radius=_RADIUS)
    heatmaps = torch.rand(1, 4, 1, 2, _CELLS)
    anchored = torch.tensor([True, False, False, False])[None, :, None]
    mixed = synthesis(heatmaps, anchored, torch.ones(1, 4, 1, dtype=torch.bool))
    assert (mixed[0, 0].argmax(dim=-1) == _CELLS // 2).all()
    torch.testing.assert_close(mixed[0, 1:], heatmaps[0, 1:])  # before training, nothing is mixed in


def test_synthesis_sees_neighbouring_frames_but_none_that_are_left_out() -> None:
    torch.manual_seed(0)
    synthesis = HeatmapSynthesis(maps=2, radius=_RADIUS)
    torch.nn.init.normal_(synthesis.second.weight)
    heatmaps, changed = torch.rand(2, 1, 6, 1, 2, _CELLS)
    changed[:, :5] = heatmaps[:, :5]
    anchored = torch.zeros(1, 6, 1, dtype=torch.bool)
    valid = torch.ones(1, 6, 1, dtype=torch.bool)
    assert not torch.equal(synthesis(heatmaps, anchored, valid)[:, 4], synthesis(changed, anchored, valid)[:, 4])
    valid[:, 5] = False
    assert torch.equal(synthesis(heatmaps, anchored, valid)[:, :5], synthesis(changed, anchored, valid)[:, :5])


def test_the_mask_is_the_papers_formula() -> None:
    mask = DynamicAwareMask(steepness=20.0, threshold=0.2)
    residual = torch.tensor([-1.0, -0.2, 0.0, 0.1, 0.2, 0.9])
    expected = 1 / (1 + torch.exp(-20 * (residual.abs() - 0.2)))
    torch.testing.assert_close(mask(residual), expected)


def bump(centre: torch.Tensor, xy: torch.Tensor, stride: int) -> torch.Tensor:
    places = xy[..., None, :] + stride * offsets(_RADIUS, xy.device)
    return torch.exp(-(places - centre).square().sum(dim=-1) / (2 * (1.5 * stride) ** 2))


def test_what_stays_in_place_leaves_no_residual_however_the_estimate_moves() -> None:
    xy = torch.tensor([[40.0, 40.0], [44.0, 40.0], [44.0, 48.0]])[None, :, None]  # (1, 3, 1, 2)
    heatmaps = bump(torch.tensor([42.0, 42.0]), xy, 4)[..., None, :]
    found = residuals(heatmaps, xy, torch.ones(1, 3, 1, dtype=torch.bool), (4,))
    inside = offsets(_RADIUS, xy.device).abs().amax(dim=-1) <= 1  # what both patches show
    assert found[..., inside].abs().max() < 1e-5


def test_what_moves_leaves_residuals_of_opposite_sign_at_both_places() -> None:
    xy = torch.full((1, 2, 1, 2), 40.0)
    heatmaps = torch.stack([bump(torch.tensor([x, 40.0]), xy[:, 0], 4) for x in (36.0, 44.0)], dim=1)[..., None, :]
    found = residuals(heatmaps, xy, torch.ones(1, 2, 1, dtype=torch.bool), (4,))
    backward = found[0, 1, 0, 0, 0].view(2 * _RADIUS + 1, -1)
    assert backward[_RADIUS, _RADIUS + 1] > 0.2
    assert backward[_RADIUS, _RADIUS - 1] < -0.2
    torch.testing.assert_close(found[0, 0, 0, 0, 1], found[0, 1, 0, 0, 0])
    assert not found[0, 0, 0, 0, 0].any()
