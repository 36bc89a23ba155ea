"""The baseline: what it promises untrained, that it can learn, and its engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmarks.posewarper.engine import PoseWarperEngine
from benchmarks.posewarper.network import (
    PoseWarper,
    PoseWarperConfig,
    backbone_of,
    decode,
    gaussians,
    heatmap_loss,
    load,
    save,
)
from models.backbones.config import BackboneConfig
from models.errors import CheckpointError
from models.propagate import plan_tracks, propagate
from models.stdpose import checkpoints
from models.stdpose.network import StdPose, StdPoseConfig
from models.weights import digest
from pose.frames import InMemoryFrames
from pose.track import Track, join

SMALL = PoseWarperConfig(backbone=BackboneConfig(widths=(16, 16, 24, 24), channels=16), width=16, blocks=2)
_FRAMES, _HEIGHT, _WIDTH = 9, 96, 128


@pytest.fixture(scope="module")
def untrained() -> PoseWarper:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(2)
        return PoseWarper(SMALL).eval()


@pytest.fixture(scope="module")
def restless() -> PoseWarper:
    """Weights that move every point somewhere."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        network = PoseWarper(SMALL)
        for parameter in network.fields.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
    return network.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return 255 * torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def footage() -> InMemoryFrames:
    """A texture that moves two pixels to the right from frame to frame."""
    texture = np.random.default_rng(1).integers(0, 256, (_HEIGHT // 4, _WIDTH // 4, 3), dtype=np.uint8)
    still = texture.repeat(4, axis=0).repeat(4, axis=1)
    return InMemoryFrames(np.stack([np.roll(still, 2 * t, axis=1) for t in range(_FRAMES)]))


def carry(network: PoseWarper, images: Tensor, xy: Tensor) -> Tensor:
    with torch.inference_mode():
        maps = network.describe(images)
        return network(tuple(m[:1] for m in maps), tuple(m[1:] for m in maps), xy[None])[0]


def labels(frames: list[int], visibility: int = 2) -> Track:
    places = np.array([[(30 + 2 * t, 40), (60 + 2 * t, 20), (70 + 2 * t, 60)] for t in frames], dtype=float)
    return Track.labelled(frames, np.concatenate([places, np.full((*places.shape[:2], 1), visibility)], axis=-1))


def test_untrained_it_leaves_labels_where_they_are(untrained: PoseWarper, images: Tensor) -> None:
    xy = torch.tensor([[40.0, 30.0], [50.6, 12.3], [94.0, 62.0]])
    warped = carry(untrained, images, xy)
    torch.testing.assert_close(warped, gaussians(xy, 16, 24, SMALL.sigma))


def test_keypoints_are_warped_one_by_one(restless: PoseWarper, images: Tensor) -> None:
    xy = torch.tensor([[40.0, 30.0], [50.6, 12.3], [80.0, 50.0]])
    together = carry(restless, images, xy)
    assert (together - gaussians(xy, 16, 24, SMALL.sigma)).abs().max() > 0.01
    for point in (0, 2):
        torch.testing.assert_close(carry(restless, images, xy[[point]])[0], together[point], atol=1e-4, rtol=0)


@settings(max_examples=30)
@given(st.floats(5, 90), st.floats(5, 60), st.floats(1, 3))
def test_peaks_are_found_between_cells(x: float, y: float, sigma: float) -> None:
    place = torch.tensor([[x, y]])
    found, height = decode(gaussians(place, 17, 25, sigma), sigma)
    inner = 4 * 3 * sigma
    if inner < x < 100 - inner and inner < y < 68 - inner:
        torch.testing.assert_close(found, place, atol=0.05, rtol=0)
    assert (found - place).abs().max() < 8  # two cells, next to the border
    assert 0.6 < float(height) <= 1


def test_a_map_without_a_hill_is_decoded_to_a_cell() -> None:
    found, height = decode(torch.zeros(2, 3, 8, 8), 2.0)
    assert torch.isfinite(found).all()
    assert (height == 0).all()
    corner = torch.zeros(1, 8, 8)
    corner[0, 7, 7] = 1
    torch.testing.assert_close(decode(corner, 2.0)[0], torch.tensor([[29.5, 29.5]]))


def test_it_learns_to_follow_a_moving_texture(footage: InMemoryFrames) -> None:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(5)
        network = PoseWarper(SMALL)
    images = torch.from_numpy(footage.images[[0, 4]]).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        maps = network.describe(images)
    first, second = (tuple(m[[number]] for m in maps) for number in (0, 1))
    xy = 16 + 64 * torch.rand(1, 12, 2, generator=torch.Generator().manual_seed(5))
    target, weight = xy + torch.tensor([8.0, 0.0]), torch.ones(1, 12)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    losses = []
    for _ in range(60):
        loss = heatmap_loss(network(first, second, xy), target, weight, SMALL.sigma)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]
    with torch.inference_mode():
        found, _ = decode(network(first, second, xy), SMALL.sigma)
    assert (found - target).norm(dim=-1).mean() < 4


def test_points_that_do_not_count_have_no_loss() -> None:
    xy = torch.tensor([[[20.0, 20.0], [30.0, 40.0]]])
    warped = gaussians(xy, 16, 16, 2.0)
    warped[0, 1] = 0
    assert float(heatmap_loss(warped, xy, torch.tensor([[1.0, 0.0]]), 2.0)) == 0
    assert float(heatmap_loss(warped, xy, torch.tensor([[1.0, 1.0]]), 2.0)) > 1
    assert float(heatmap_loss(warped, xy, torch.zeros(1, 2), 2.0)) == 0


def test_the_engine_takes_the_nearer_label(untrained: PoseWarper, footage: InMemoryFrames) -> None:
    keyframes = labels([1, 6])
    poses = join([p for _, _, p in propagate(footage, {1: keyframes}, engine=PoseWarperEngine(untrained))])
    assert list(poses.frames) == list(range(_FRAMES))
    nearer = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(poses.xy, keyframes.xy[nearer], atol=0.5)
    assert ((poses.score > 0) & (poses.score <= 1)).all()
    between = ~np.isin(poses.frames, keyframes.frames)
    assert (poses.score[between] < 1).all()
    assert (poses.radius90[between] > 0).all()


def test_labels_come_back_bit_for_bit_and_segments_stand_alone(restless: PoseWarper, footage: InMemoryFrames) -> None:
    engine, keyframes = PoseWarperEngine(restless), labels([1, 4, 7])
    keyframes.visibility[1, 0], keyframes.xy[1, 0], keyframes.score[1, 0] = 0, 0, 0
    together = [poses for _, _, poses in propagate(footage, {1: keyframes}, engine=engine)]
    poses = join(together)
    rows, known = poses.select(keyframes.frames), keyframes.visibility > 0
    np.testing.assert_array_equal(rows.xy[known], keyframes.xy[known])
    assert (rows.score[known] == 1).all()
    assert (rows.radius90[known] == 0).all()
    assert (poses.visibility > 0).all()
    assert np.isfinite(poses.xy).all()
    for place, other in reversed([*zip(plan_tracks({1: keyframes}, 0, _FRAMES), together, strict=True)]):
        alone = next(propagate(footage, {1: keyframes}, engine=engine, segments=[place]))[2]
        assert alone.xy.tobytes() == other.xy.tobytes()
        assert alone.score.tobytes() == other.score.tobytes()


def test_a_keypoint_that_is_labelled_nowhere_is_known_nowhere(untrained: PoseWarper, footage: InMemoryFrames) -> None:
    keyframes = labels([2])
    keyframes.visibility[0, 1], keyframes.xy[0, 1], keyframes.score[0, 1] = 0, 0, 0
    poses = join([p for _, _, p in propagate(footage, {1: keyframes}, engine=PoseWarperEngine(untrained))])
    assert (poses.visibility[:, 1] == 0).all()
    assert (poses.visibility[:, [0, 2]] == 2).all()


def test_a_checkpoint_gives_back_the_network(tmp_path: Path, restless: PoseWarper, images: Tensor) -> None:
    path = tmp_path / "warper.safetensors"
    save(path, restless, {"seed": 3})
    xy = torch.tensor([[40.0, 30.0]])
    torch.testing.assert_close(carry(load(path), images, xy), carry(restless, images, xy))
    assert PoseWarperEngine.from_checkpoint(path).version == f"1-{digest(path)[:12]}"


def test_stdposes_backbone_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "stdpose.safetensors"
    config = StdPoseConfig(backbone=SMALL.backbone, channels=32, blocks=1, heads=2, radius=2, rounds=2)
    network = StdPose(config)
    checkpoints.save(path, network.state_dict(), config, {})
    backbone = backbone_of(path)
    for name, tensor in network.backbone.state_dict().items():
        torch.testing.assert_close(backbone.state_dict()[name], tensor, atol=1e-3, rtol=1e-3)
    with pytest.raises(CheckpointError, match="not a checkpoint of posewarper"):
        load(path)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, restless: PoseWarper) -> None:
    path = tmp_path / "warper.safetensors"
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(path)
    save(path, restless, {})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        backbone_of(path)
