"""Correlations are those of interpolated descriptors, and peaks are where templates came from."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.stdpose.correlation import correlate, descriptors, offsets, peaks


@pytest.fixture
def maps() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return F.normalize(torch.randn(3, 10, 12, 8, generator=generator), dim=-1)


def sampled(maps: Tensor, row: int, xy: Tensor, stride: int) -> Tensor:
    height, width = maps.shape[1:3]
    grid = (xy + 0.5) / stride / torch.tensor([width, height]) * 2 - 1
    picture = maps[row].permute(2, 0, 1)[None]
    found = F.grid_sample(picture, grid[None, None], align_corners=False, padding_mode="border")
    return found[0, :, 0].T


def test_descriptors_are_bilinear_samples_of_the_map(maps: Tensor) -> None:
    xy = torch.tensor([[13.2, 20.7], [30.0, 17.5]])
    found = descriptors(maps, torch.tensor([2, 2]), xy, 4, 1)
    for number in range(2):
        expected = sampled(maps, 2, xy[number] + 4 * offsets(1, maps.device), 4)
        torch.testing.assert_close(found[number], expected)


def test_correlating_equals_comparing_interpolated_descriptors(maps: Tensor) -> None:
    xy = torch.tensor([[[[13.2, 20.7]], [[25.0, 11.1]]]])  # (1, 2, 1, 2)
    rows = torch.tensor([[0, 1]])
    templates = maps[2, :1, :5][None]
    found = correlate(maps, rows, xy, templates, 4, 2)
    for t in range(2):
        expected = sampled(maps, t, xy[0, t, 0] + 4 * offsets(2, maps.device), 4) @ templates[0, 0].T
        torch.testing.assert_close(found[0, t, 0], expected)


def test_places_far_outside_take_the_border(maps: Tensor) -> None:
    found = descriptors(maps, torch.tensor([0]), torch.tensor([[-500.0, 900.0]]), 4, 0)
    torch.testing.assert_close(found[0, 0], maps[0, -1, 0])


def test_a_peak_is_where_the_template_was_cut_out(maps: Tensor) -> None:
    templates = torch.stack([maps[0, 3, 7], maps[1, 8, 2]])[None, :, None]  # (1, 2, 1, C)
    places, height = peaks(maps, torch.tensor([[0, 1]]), templates, 8)
    assert places[0, 0, 0, 0].tolist() == [7.5 * 8 - 0.5, 3.5 * 8 - 0.5]
    assert places[0, 1, 1, 0].tolist() == [2.5 * 8 - 0.5, 8.5 * 8 - 0.5]
    torch.testing.assert_close(height[0, [0, 1], [0, 1], 0], torch.ones(2))
