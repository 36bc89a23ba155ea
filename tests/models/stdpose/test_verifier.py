"""What the verifier promises whatever its weights are."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from models.pretraining.losses import choice
from models.stdpose.candidates import SOURCES, FrameDescriptors, collect, with_detector
from models.stdpose.network import Hints, StdPose
from models.stdpose.verifier import Candidates
from models.stdpose.windows import Window, stack

_FRAMES, _POINTS, _WIDTH = 7, 3, 48


def collected(network: StdPose, images: Tensor, window: Window, *, mirrored: bool = True) -> Candidates:
    start = torch.from_numpy(window.interpolate()).float().expand(2, -1, -1, -1)
    others = torch.stack([start + shift for shift in range(network.config.hints)], dim=1)
    trust = torch.zeros(others.shape[:-1])
    trust[:, 2, 3] = -1
    turned = network.describe(images.flip(-1)) if mirrored else None
    looks = FrameDescriptors(network.describe(images), turned, _WIDTH)
    with torch.inference_mode():
        return collect(network, looks, stack([window] * 2, np.arange(_FRAMES)), start, Hints(others, trust))


def test_every_source_has_its_place(network: StdPose, images: Tensor, window: Window) -> None:
    candidates = collected(network, images, window)
    assert candidates.xy.shape == (1, len(SOURCES), _FRAMES, _POINTS, 2)
    assert not candidates.present[0, 2, 3].any()
    assert not candidates.present[0, -1].any()
    assert candidates.present.sum() == candidates.present.numel() - _POINTS - _FRAMES * _POINTS
    for frame, label in ((0, window.begin), (-1, window.end)):
        np.testing.assert_allclose(candidates.xy[0, :, frame], np.broadcast_to(label, (len(SOURCES), _POINTS, 2)))


def test_without_a_mirror_there_are_no_mirrored_candidates(network: StdPose, images: Tensor, window: Window) -> None:
    candidates = collected(network, images, window, mirrored=False)
    assert not candidates.present[0, -3:].any()
    assert torch.isfinite(candidates.xy).all()


def test_the_mirrored_candidates_are_those_of_the_mirrored_video(
    network: StdPose, images: Tensor, window: Window
) -> None:
    straight = collected(network, images, window)
    start = torch.from_numpy(window.interpolate()).float().expand(2, -1, -1, -1)
    others = torch.stack([start + shift for shift in range(network.config.hints)], dim=1)
    trust = torch.zeros(others.shape[:-1])
    trust[:, 2, 3] = -1

    def turn(xy: Tensor) -> Tensor:
        return torch.stack([_WIDTH - 1 - xy[..., 0], xy[..., 1]], dim=-1)

    batch = stack([window] * 2, np.arange(_FRAMES)).mirrored(_WIDTH)
    with torch.inference_mode():
        refined = network(network.describe(images.flip(-1)), batch, turn(start), Hints(turn(others), trust))[-1]
    torch.testing.assert_close(turn(refined.xy), straight.xy[0, -3:-1], atol=1e-3, rtol=0)


def test_the_result_lies_among_the_candidates(network: StdPose, images: Tensor, window: Window) -> None:
    candidates = collected(network, images, window)
    with torch.inference_mode():
        batch = stack([window], np.arange(_FRAMES))
        estimate, weight = network.judge(network.describe(images), batch, candidates)
    torch.testing.assert_close(weight.sum(dim=1), torch.ones(1, _FRAMES, _POINTS))
    assert (weight[0, 2, 3] == 0).all()
    low, high = candidates.xy.amin(dim=1), candidates.xy.amax(dim=1)
    assert ((estimate.xy >= low - 1e-3) & (estimate.xy <= high + 1e-3)).all()
    assert torch.isfinite(estimate.log_scale).all()


def test_what_is_left_out_has_no_say(network: StdPose, images: Tensor, window: Window) -> None:
    candidates = collected(network, images, window)
    out = torch.tensor([name == "from_flow" for name in SOURCES])
    far = Candidates(candidates.xy.clone(), candidates.claim, candidates.present)
    far.xy[:, SOURCES.index("from_flow")] += 7
    batch = stack([window], np.arange(_FRAMES))
    with torch.inference_mode():
        maps = network.describe(images)
        plain, moved = (network.judge(maps, batch, c.without(out))[0] for c in (candidates, far))
    torch.testing.assert_close(plain.xy, moved.xy)
    torch.testing.assert_close(plain.log_scale, moved.log_scale)


def test_choosing_the_best_candidate_costs_least(network: StdPose, images: Tensor, window: Window) -> None:
    candidates = collected(network, images, window)
    batch, truth = stack([window], np.arange(_FRAMES)), candidates.xy[:, 3]
    weights = torch.eye(len(SOURCES))[:, None, :, None, None].expand(-1, 1, -1, _FRAMES, _POINTS)
    losses = [float(choice(weight, candidates, batch, truth, torch.ones(1, _FRAMES, _POINTS))) for weight in weights]
    assert np.argmin(losses) == 3
    assert losses[3] == pytest.approx(0, abs=1e-5)


def test_a_detector_has_a_say_where_it_found_something(network: StdPose, images: Tensor, window: Window) -> None:
    batch, candidates = stack([window], np.arange(_FRAMES)), collected(network, images, window)
    mass = torch.zeros(_FRAMES, _POINTS)
    mass[2, 1] = mass[0, 0] = 0.8
    found = with_detector(candidates, batch, torch.full((_FRAMES, _POINTS, 2), 20.0), mass)
    assert found.present[0, -1].nonzero().tolist() == [[0, 0], [2, 1]]
    np.testing.assert_allclose(found.xy[0, -1, 2, 1], 20)
    np.testing.assert_allclose(found.xy[0, -1, 0, 0], window.begin[0], rtol=1e-6)
    assert not candidates.present[0, -1].any()
