"""ViTPose as transformers has it, on crops of any size, with descriptors at three strides."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import (
    ViTConfig,
    VitPoseBackbone,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
)

from models.backbones.build import build_backbone
from models.backbones.config import VitPyramidConfig
from models.backbones.vitpose import VitPyramid
from models.errors import CheckpointError
from models.stdpose.network import Hints, StdPose, StdPoseConfig
from models.stdpose.windows import Window, stack

_CONFIG = VitPyramidConfig(width=32, depth=2, heads=2, detail=(8, 8, 16), channels=16)


@pytest.fixture(scope="module")
def pyramid() -> VitPyramid:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(2)
        return VitPyramid(_CONFIG).eval()


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Addresses that somebody tried to connect to."""
    addresses: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        addresses.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return addresses


def published(**changes: object) -> VitPoseBackboneConfig:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "out_indices": [2]}
    return VitPoseBackboneConfig(**{**sizes, **changes})


def images(count: int, height: int, width: int) -> torch.Tensor:
    return 255 * torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def tokens_of(network: VitPyramid, pixels: torch.Tensor) -> torch.Tensor:
    return network.encode(pixels).flatten(2).transpose(1, 2)


def test_tokens_are_those_of_transformers(pyramid: VitPyramid) -> None:
    pixels = images(2, 256, 192) / 255
    with torch.inference_mode():
        expected = pyramid.vit(pixels).feature_maps[-1]
    torch.testing.assert_close(tokens_of(pyramid, pixels), expected, atol=1e-5, rtol=1e-5)


def test_position_embedding_is_stretched_over_the_crop() -> None:
    network = VitPyramid(_CONFIG).eval()
    rows = torch.arange(16.0).repeat_interleave(12)
    with torch.no_grad():
        learned = network.vit.embeddings.position_embeddings.zero_()
        learned[0, 1:, 0] = rows
    with torch.inference_mode():
        tokens = network.encode(torch.zeros(1, 3, 96, 160))[0]
    assert tokens.shape == (32, 6, 10)
    torch.testing.assert_close(tokens, tokens[:, :, :1].expand_as(tokens), atol=1e-4, rtol=0)
    assert (tokens[:, 1:] - tokens[:, :-1]).norm(dim=0).min() > 1e-3


def test_describing_gives_unit_vectors_at_every_stride(pyramid: VitPyramid) -> None:
    with torch.inference_mode():
        levels = pyramid(images(2, 96, 160))
    assert [tuple(level.shape) for level in levels] == [(2, 24, 40, 16), (2, 12, 20, 16), (2, 6, 10, 16)]
    for level in levels:
        torch.testing.assert_close(level.norm(dim=-1), torch.ones(level.shape[:3]))


def test_frames_do_not_see_each_other(pyramid: VitPyramid) -> None:
    pixels = images(2, 96, 64)
    with torch.inference_mode():
        for together, alone in zip(pyramid(pixels), pyramid(pixels[1:]), strict=True):
            torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


def test_half_precision_gives_nearly_the_same_descriptors(pyramid: VitPyramid) -> None:
    pixels = images(1, 64, 96)
    with torch.inference_mode():
        exact = pyramid(pixels)
        with torch.autocast("cpu", torch.bfloat16):
            halved = pyramid(pixels)
    for one, other in zip(exact, halved, strict=True):
        assert other.dtype == torch.float32
        assert F.cosine_similarity(one, other, dim=-1).min() > 0.98


def test_stdpose_trains_the_transformer() -> None:
    network = StdPose(StdPoseConfig(backbone=_CONFIG, channels=32, blocks=1, heads=2, radius=2, rounds=2))
    for parameter in network.head.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    points = np.array([[20.0, 30.0], [50.0, 70.0]])
    window = Window(
        times=np.arange(4),
        before=np.zeros(2, dtype=int),
        after=np.full(2, 3),
        has_before=np.ones(2, dtype=bool),
        has_after=np.ones(2, dtype=bool),
        begin=points,
        end=points + 6,
    )
    start = torch.from_numpy(window.interpolate())[None].float()
    others = start[:, None].repeat(1, network.config.hints, 1, 1, 1)
    hints = Hints(others, torch.zeros(others.shape[:-1]))
    estimates = network(network.describe(images(4, 96, 64)), stack([window], np.arange(4)), start, hints)
    (estimates[-1].xy - start).square().sum().backward()
    gradients = {name: weights.grad for name, weights in network.backbone.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None or not gradient.isfinite().all()] == []
    for name in ("vit.embeddings.position_embeddings", "vit.encoder.layer.0.mlp.fc1.weight", "around.stem.0.weight"):
        assert gradients[name].abs().max() > 0, name


def test_published_weights_of_the_backbone_are_read(tmp_path: Path, pyramid: VitPyramid) -> None:
    pyramid.vit.save_pretrained(tmp_path)
    loaded = VitPyramid.from_pretrained(tmp_path, _CONFIG)
    for name, weights in pyramid.vit.state_dict().items():
        torch.testing.assert_close(loaded.vit.state_dict()[name], weights)


def test_of_experts_that_of_coco_is_kept(tmp_path: Path) -> None:
    config = VitPoseConfig(backbone_config=published(num_experts=3, part_features=8), num_labels=17)
    estimator = VitPoseForPoseEstimation(config).eval()
    estimator.save_pretrained(tmp_path)
    loaded = VitPyramid.from_pretrained(tmp_path, _CONFIG).eval()
    pixels = images(2, 256, 192) / 255
    with torch.inference_mode():
        coco, other = (estimator.backbone(pixels, torch.full((2,), expert)).feature_maps[-1] for expert in (0, 1))
    found = tokens_of(loaded, pixels)
    torch.testing.assert_close(found, coco, atol=1e-5, rtol=1e-5)
    assert (found - other).abs().max() > 1e-2


@pytest.mark.parametrize("name", ["nobody/vitpose-of-no-size", "no-such-folder"])
def test_what_is_not_here_is_not_downloaded(name: str, attempts: list[object]) -> None:
    with pytest.raises(CheckpointError, match=f"^{name} holds no config.json and model.safetensors"):
        VitPyramid.from_pretrained(name, _CONFIG)
    assert attempts == []


def test_another_size_is_refused(tmp_path: Path) -> None:
    VitPoseBackbone(published(num_hidden_layers=1, out_indices=[1])).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="another size: num_hidden_layers is 1, not 2"):
        VitPyramid.from_pretrained(tmp_path, _CONFIG)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="holds a vit; a ViTPose is needed"):
        VitPyramid.from_pretrained(tmp_path, _CONFIG)


def test_missing_weights_are_not_made_up(tmp_path: Path, pyramid: VitPyramid) -> None:
    pyramid.vit.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    del weights["layernorm.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks weights: layernorm\.weight, 1 in all"):
        VitPyramid.from_pretrained(tmp_path, _CONFIG)


@pytest.mark.parametrize("spoil", ["truncated", "pickled"])
def test_unreadable_weights_are_refused(tmp_path: Path, pyramid: VitPyramid, spoil: str) -> None:
    pyramid.vit.save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    if spoil == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        torch.save(load_file(file), tmp_path / "pytorch_model.bin")
        file.unlink()
    with pytest.raises(CheckpointError, match="that can be read"):
        VitPyramid.from_pretrained(tmp_path, _CONFIG)


def test_without_transformers_the_way_to_get_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "models.backbones.vitpose")
    with pytest.raises(ImportError, match=r"needs transformers: pip install 'posetween\[vitpose\]'"):
        build_backbone(_CONFIG)


def test_the_tiny_network_does_not_load_transformers() -> None:
    code = (
        "import sys; from models.stdpose import checkpoints; from models.stdpose.presets import build; "
        "build('tiny'); sys.exit('transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
