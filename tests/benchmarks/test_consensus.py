"""Fusing candidates by their error bars."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.consensus import consensus
from models.stdpose.candidates import CLAIM_UNIT, SOURCES
from models.stdpose.verifier import Candidates


def fused(places: list[tuple[float, float]], scales: list[float]) -> tuple[np.ndarray, float]:
    """Flow first, with its radius; then refinements, with the medians of their distances; the others are absent."""
    xy = torch.zeros(1, len(SOURCES), 1, 1, 2)
    claim = torch.zeros(xy.shape[:-1])
    present = torch.zeros(xy.shape[:-1], dtype=torch.bool)
    xy[0, 5 : 5 + len(places), 0, 0] = torch.tensor(places)
    claim[0, 5 : 5 + len(scales), 0, 0] = CLAIM_UNIT * torch.tensor(scales).log()
    present[0, 5 : 5 + len(places)] = True
    estimate = consensus(Candidates(xy, claim, present), torch.full((1, 1), 2 * scales[0]), SOURCES)
    return estimate.xy[0, 0, 0].numpy(), float(estimate.log_scale.exp())


def test_candidates_that_agree_are_averaged_and_trusted() -> None:
    place, radius = fused([(10, 10), (12, 10)], [2, 2])
    np.testing.assert_allclose(place, (11, 10), atol=0.05)
    _, apart = fused([(10, 10), (40, 10)], [2, 2])
    assert radius < apart


def test_one_that_is_far_off_has_no_say() -> None:
    place, _ = fused([(10, 10), (11, 10), (90, 60)], [2, 2, 2.5])
    assert np.hypot(*(place - (10.5, 10))) < 2


def test_the_surer_one_decides() -> None:
    place, _ = fused([(10, 10), (50, 10)], [1, 20])
    assert np.hypot(*(place - (10, 10))) < 1


def test_what_flow_is_made_of_has_no_say_of_its_own() -> None:
    xy = torch.full((1, len(SOURCES), 1, 1, 2), 100.0)
    xy[0, 5] = 10.0
    present = torch.zeros(xy.shape[:-1], dtype=torch.bool)
    present[0, :6] = True
    estimate = consensus(Candidates(xy, torch.zeros(xy.shape[:-1]), present), torch.full((1, 1), 4.0), SOURCES)
    np.testing.assert_allclose(estimate.xy.flatten(), 10, atol=1e-3)
