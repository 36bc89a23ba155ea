"""What the losses reward."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.pretraining.losses import contrastive, refinement
from models.stdpose.network import Estimate
from models.stdpose.windows import Window, stack


def maps_with_a_spot(x: int, y: int) -> tuple[Tensor, ...]:
    levels = []
    for stride in (4, 8, 16):
        level = torch.zeros(1, 64 // stride, 64 // stride, 2)
        level[..., 0] = 1
        level[0, y // stride, x // stride] = torch.tensor([0.0, 1.0])
        levels.append(level)
    return tuple(levels)


def test_contrastive_loss_is_small_where_the_template_is_found_in_the_true_cell() -> None:
    templates = [torch.tensor([0.0, 1.0]).expand(1, 1, 2, 9, 2)] * 3
    xy, seen = torch.full((1, 1, 2), 39.5), torch.ones(1, 1, dtype=torch.bool)
    right, wrong = (contrastive(maps_with_a_spot(*at), templates, xy, seen) for at in ((39, 39), (8, 50)))
    assert right < wrong - 5
    unseen = contrastive(maps_with_a_spot(8, 50), templates, xy, ~seen)
    assert float(unseen) == 0


def test_contrastive_loss_asks_for_all_cells_around_a_place() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = tuple(F.normalize(torch.randn(1, 64 // s, 64 // s, 2, generator=generator), dim=-1) for s in (4, 8, 16))
    templates = [torch.tensor([0.0, 1.0]).expand(1, 1, 2, 9, 2)] * 3
    seen = torch.ones(1, 1, dtype=torch.bool)

    def at(x: float) -> float:
        return float(contrastive(maps, templates, torch.tensor([[[x, 33.0]]]), seen))

    assert abs(at(31.5 + 1e-3) - at(31.5 - 1e-3)) < 0.05  # nothing jumps where a cell ends


def test_error_bars_that_fit_the_errors_cost_least() -> None:
    window = Window(
        times=np.arange(5),
        before=np.array([0]),
        after=np.array([4]),
        has_before=np.array([True]),
        has_after=np.array([True]),
        begin=np.zeros((1, 2)),
        end=np.zeros((1, 2)),
    )
    batch, truth = stack([window], np.arange(5)), torch.zeros(1, 5, 1, 2)
    guess = truth + torch.tensor([3.0, 4.0])

    def cost(median: float) -> float:
        scale = torch.full((1, 5, 1), median).log()
        return float(refinement([Estimate(guess, scale)], batch, truth, torch.ones(1, 5, 1)))

    assert cost(5.0) < min(cost(1.0), cost(25.0))
