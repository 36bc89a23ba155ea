"""What training and evaluation rely on, for every estimator and preset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from models.backbones.config import VitPyramidConfig
from models.estimators.checkpoints import load, save
from models.estimators.estimator import Estimator, KnownLabels
from models.estimators.losses import Truth, losses
from models.estimators.presets import ESTIMATORS, RANDOM, SIZES, build, configure
from models.estimators.targets import gaussians
from pose.skeleton import Skeleton

POINTS = 5
EDGES = torch.tensor([[0, 1], [1, 2], [2, 3], [3, 4]])

NAMES = list(ESTIMATORS)
#: Of the presets on ViTPose, with fewer layers than theirs so that the test machine can bear them.
SMALLER = VitPyramidConfig(width=48, depth=2, heads=4, detail=(8, 16, 24), channels=32)
ABLATIONS: list[tuple[str, dict[str, Any]]] = [
    ("stdpose", {"mask": False}),
    ("stdpose", {"synthesis": False}),
    ("stdpose", {"dynamics": False}),
    ("focused_regions", {"masks": False}),
    ("focused_regions", {"deformable": False}),
    ("focused_regions", {"separation": False}),
    ("cmpose", {"mask_weight": 0.0}),
    ("cmpose", {"noise_weight": 0.0}),
    ("cmpose", {"selection": False}),
    ("cmpose", {"clusters": 0.0}),
    ("jmpose", {"mutual": False}),
    ("jmpose", {"deformable": False}),
    ("jmpose", {"orthogonality": 0.0}),
    ("stdpose", {"deltas": (-2, -1, 0, 1, 2)}),
    ("focused_regions", {"deltas": (-2, -1, 0, 1, 2)}),
    ("jmpose", {"deltas": (-2, -1, 0, 1, 2)}),
]


EVERY = [(name, preset) for name in NAMES for preset in SIZES]


def network(name: str, preset: str = "tiny", **changes: Any) -> Estimator:
    if preset != "tiny":
        changes = {"backbone": SMALLER, **changes}
    config = configure(name, preset, POINTS, height=64, width=48, **changes)
    return build(name, config, seed=3, pretrained=RANDOM)


def clip(estimator: Estimator, batch: int = 2) -> torch.Tensor:
    config = estimator.config
    generator = torch.Generator().manual_seed(1)
    return 255 * torch.rand(batch, config.frames, 3, config.height, config.width, generator=generator)


def truth(estimator: Estimator, batch: int = 2) -> Truth:
    config = estimator.config
    generator = torch.Generator().manual_seed(2)
    size = torch.tensor([config.width, config.height])
    xy = torch.rand(batch, config.frames, POINTS, 2, generator=generator) * (size - 1)
    return Truth(xy, torch.ones(xy.shape[:3]))


def awaken(estimator: Estimator) -> None:
    """What begins at zero on purpose, so that a branch adds nothing at first, would hide others behind it."""
    with torch.no_grad():
        for parameter in estimator.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_shapes(name: str, preset: str) -> None:
    estimator = network(name, preset)
    output = estimator(clip(estimator))
    assert output.heatmaps.shape == (2, POINTS, 16, 12)
    assert output.heatmaps.dtype == torch.float32
    if output.initial is not None:
        assert output.initial.shape == (2, estimator.config.frames, POINTS, 16, 12)
    if output.importance is not None:
        torch.testing.assert_close(output.importance.sum(dim=1), torch.ones(2))


@pytest.mark.parametrize(
    ("name", "preset", "changes"),
    [*((name, preset, {}) for name, preset in EVERY), *((name, "tiny", changes) for name, changes in ABLATIONS)],
)
def test_gradients_reach_every_parameter(name: str, preset: str, changes: dict[str, Any]) -> None:
    estimator = network(name, preset, **changes).train()
    torch.manual_seed(0)
    awaken(estimator)
    for progress in (0.0, 1.0):
        estimator.advance(progress)
        sum(losses(estimator(clip(estimator)), truth(estimator), EDGES).values()).backward()  # type: ignore[union-attr]
    missed = [key for key, one in estimator.named_parameters() if one.grad is None or not one.grad.any()]
    assert missed == []


@pytest.mark.parametrize("name", NAMES)
def test_what_is_absent_teaches_every_estimator(name: str) -> None:
    """A known negative costs something else than a place does and than nothing known does, and it is learnt from."""
    estimator = network(name).train()
    awaken(estimator)
    known = truth(estimator)
    gone = torch.zeros(known.weight.shape, dtype=torch.bool)
    gone[0] = True
    cases = {
        "placed": known,
        "absent": replace(known, absent=gone),
        "unknown": replace(known, weight=torch.where(gone, 0.0, known.weight)),
    }
    costs, pulls = {}, {}
    for case, said in cases.items():
        torch.manual_seed(0)
        estimator.zero_grad()
        loss = torch.stack([*losses(estimator(clip(estimator)), said, EDGES).values()]).sum()
        loss.backward()
        costs[case] = round(float(loss.detach()), 5)
        pulls[case] = torch.cat([one.grad.flatten() for one in estimator.head.parameters() if one.grad is not None])
    assert len({*costs.values()}) == 3
    assert not torch.allclose(pulls["absent"], pulls["unknown"])


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_a_clip_does_not_depend_on_the_others_of_its_batch(name: str, preset: str) -> None:
    estimator = network(name, preset).eval()
    frames = clip(estimator, 3)
    with torch.inference_mode():
        together, alone = estimator(frames).heatmaps, estimator(frames[1:2]).heatmaps
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_features_of_a_frame_serve_all_clips_that_it_is_part_of(name: str, preset: str) -> None:
    estimator = network(name, preset).eval()
    time = estimator.config.frames
    images = clip(estimator, 3).flatten(0, 1)
    rows = torch.arange(time)[None] + torch.arange(2)[:, None]
    with torch.inference_mode():
        shared = estimator.relate(estimator.encode(images), rows).heatmaps
        direct = estimator(images[rows]).heatmaps
    torch.testing.assert_close(shared, direct, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_the_same_seed_gives_the_same_network_and_the_same_gradients(name: str, preset: str) -> None:
    seen = []
    for _ in range(2):
        estimator = network(name, preset).train()
        torch.manual_seed(5)
        estimator.advance(0.0)
        sum(losses(estimator(clip(estimator)), truth(estimator), EDGES).values()).backward()  # type: ignore[union-attr]
        seen.append(torch.cat([one.grad.flatten() for one in estimator.parameters() if one.grad is not None]))
    assert torch.equal(*seen)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "single_frame"])
def test_the_other_frames_matter(name: str) -> None:
    estimator = network(name).eval()
    awaken(estimator)
    frames = clip(estimator, 1)
    changed = frames.clone()
    changed[:, -1] = 255 - changed[:, -1]
    with torch.inference_mode():
        assert not torch.allclose(estimator(frames).heatmaps, estimator(changed).heatmaps, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "single_frame"])
def test_gradients_flow_through_supporting_frames_only_where_wished(name: str) -> None:
    outputs = []
    for supports_learn in (False, True):
        estimator = network(name, supports_learn=supports_learn)
        torch.manual_seed(0)
        awaken(estimator)
        frames = clip(estimator, 1).requires_grad_()
        outputs.append(estimator(frames).heatmaps)
        outputs[-1].square().sum().backward()
        assert frames.grad is not None
        assert [bool(frames.grad[0, index].any()) for index in range(3)] == [supports_learn, True, supports_learn]
    assert torch.equal(*outputs)


@pytest.mark.parametrize("name", NAMES)
def test_begins_as_what_it_is_built_upon(name: str) -> None:
    plain = network("single_frame", layers=0).eval()
    torch.manual_seed(0)
    for module in plain.head.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.normal_(module.weight, std=0.1)
    estimator = network(name).eval()
    estimator.take_over(plain)
    frames = clip(estimator)
    with torch.inference_mode():
        known = plain(frames[:, [estimator.config.centre]]).heatmaps
        apart = (estimator(frames).heatmaps - known).square().mean().sqrt()
    assert apart < 0.1 * known.std()


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_a_checkpoint_gives_back_the_same_network(name: str, preset: str, tmp_path: Path) -> None:
    estimator, skeleton = network(name, preset).eval(), Skeleton(name="five", keypoints=tuple("abcde"))
    torch.manual_seed(0)
    awaken(estimator)
    save(tmp_path / "best.safetensors", estimator, name, skeleton, {"seed": 3})
    loaded = load(tmp_path / "best.safetensors", skeleton)
    assert loaded.estimator.config == estimator.config
    frames = clip(estimator, 1)
    with torch.inference_mode():
        assert torch.equal(loaded.estimator(frames).heatmaps, estimator(frames).heatmaps)


@pytest.mark.parametrize(("name", "preset"), EVERY)
def test_published_sizes_of_inputs(name: str, preset: str) -> None:
    full = configure(name, preset, POINTS)
    assert (full.height, full.width) == ((128, 128) if preset == "tiny" else (256, 192))


def test_labels_of_neighbours_enter_stdpose_as_heat_maps() -> None:
    estimator = network("stdpose").eval()
    frames, known = clip(estimator, 1), torch.zeros(1, 3, POINTS, dtype=torch.bool)
    heat = gaussians(truth(estimator, 1).xy, estimator.config.cells)
    with torch.inference_mode():
        plain = estimator(frames).heatmaps
        torch.testing.assert_close(estimator(frames, KnownLabels(heat, known)).heatmaps, plain)
        known[:, 0] = True
        assert not torch.allclose(estimator(frames, KnownLabels(heat, known)).heatmaps, plain, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "preset", "changes", "words"),
    [
        ("openpose", "tiny", {}, "no estimator 'openpose'"),
        ("stdpose", "enormous", {}, "no preset 'enormous'"),
        ("stdpose", "tiny", {"flavour": 1}, "cannot be configured"),
        ("stdpose", "tiny", {"deltas": (0,)}, "too short"),
        ("stdpose", "tiny", {"deltas": (-1, 0, 2, 3)}, "odd in number"),
        ("stdpose", "tiny", {"height": 100}, "whole tokens"),
        ("stdpose", "tiny", {"heads": 7}, "do not divide"),
        ("cmpose", "tiny", {"masked": 0.7, "noisy": 0.5}, "more than all tokens"),
    ],
)
def test_bad_configurations(name: str, preset: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        configure(name, preset, POINTS, **changes)
