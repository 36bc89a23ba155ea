from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.estimators.targets import body_tokens, gaussians, places


def test_a_gaussian_is_one_at_the_exact_place() -> None:
    heat = gaussians(torch.tensor([[1.5, 5.5]]), (4, 4))  # the middle of a cell
    assert heat[0, 1, 0] == 1
    assert heat[0].max() == 1


@given(st.floats(8, 55), st.floats(8, 39))
def test_places_are_where_gaussians_were_put(x: float, y: float) -> None:
    xy, height = places(gaussians(torch.tensor([[[x, y]]]), (12, 16)))
    torch.testing.assert_close(xy, torch.tensor([[[x, y]]]), atol=0.02, rtol=0)
    assert 0.75 < float(height) <= 1


def test_an_empty_map_gives_a_finite_place_without_height() -> None:
    xy, height = places(torch.zeros(1, 2, 8, 8))
    assert bool(torch.isfinite(xy).all())
    assert not height.any()


@pytest.mark.parametrize("corner", [(0.0, 0.0), (63.0, 0.0), (0.0, 47.0), (63.0, 47.0)])
def test_places_at_the_border(corner: tuple[float, float]) -> None:
    xy, _ = places(gaussians(torch.tensor([[corner]]), (12, 16)))
    assert float((xy - torch.tensor([[corner]])).abs().max()) < 3


def test_tokens_near_a_limb_show_the_body() -> None:
    xy = torch.tensor([[7.5, 7.5], [55.5, 7.5], [7.5, 55.5]])
    edges, grid = torch.tensor([[0, 1]]), (4, 4)
    known = torch.tensor([True, True, False])
    shown = body_tokens(xy, known, edges, grid).view(grid)
    assert shown[0].tolist() == [1, 1, 1, 1]  # along the limb
    assert shown[2:].sum() == 0  # the third point is not known
    assert body_tokens(xy, torch.tensor([True, False, False]), edges, grid).view(grid)[0].tolist() == [1, 0, 0, 0]
