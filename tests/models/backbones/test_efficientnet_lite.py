"""EfficientNet-Lite gives the same with its normalisation folded, and the pyramid begins as its maps."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones.config import STRIDES, LitePyramidConfig
from models.backbones.efficientnet_lite import EfficientNetLite, LitePyramid
from models.errors import CheckpointError
from models.stdpose import checkpoints
from models.stdpose.network import StdPose
from models.stdpose.presets import build

#: Blocks of the published network: expansion, kernel, stride, channels before and after.
_BLOCKS = (
    [(1, 3, 1, 32, 16), (6, 3, 2, 16, 24), (6, 3, 1, 24, 24), (6, 5, 2, 24, 40), (6, 5, 1, 40, 40), (6, 3, 2, 40, 80)]
    + [(6, 3, 1, 80, 80)] * 2
    + [(6, 5, 1, 80, 112)]
    + [(6, 5, 1, 112, 112)] * 2
)


def published(seed: int = 0) -> dict[str, Tensor]:
    """Random weights under the names that the package uses."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, Tensor] = {}

    def layer(convolution: str, normalisation: str, shape: tuple[int, ...]) -> None:
        width = shape[0]
        fan = shape[1] * shape[2] * shape[3]
        state[f"{convolution}.weight"] = torch.randn(shape, generator=generator) * (2 / fan) ** 0.5
        state[f"{normalisation}.weight"] = 1 + 0.1 * torch.randn(width, generator=generator)
        state[f"{normalisation}.bias"] = 0.1 * torch.randn(width, generator=generator)
        state[f"{normalisation}.running_mean"] = 0.1 * torch.randn(width, generator=generator)
        state[f"{normalisation}.running_var"] = 0.5 + torch.rand(width, generator=generator)

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    for number, (expansion, side, _, before, after) in enumerate(_BLOCKS):
        name, width = f"_blocks.{number}", before * expansion
        if expansion > 1:
            layer(f"{name}._expand_conv", f"{name}._bn0", (width, before, 1, 1))
        layer(f"{name}._depthwise_conv", f"{name}._bn1", (width, 1, side, side))
        layer(f"{name}._project_conv", f"{name}._bn2", (after, width, 1, 1))
    return state


def unfolded(state: dict[str, Tensor], images: Tensor) -> list[Tensor]:
    """The published network as published: convolution, then batch normalisation, with TensorFlow's padding."""

    def apply(x: Tensor, convolution: str, normalisation: str, stride: int = 1) -> Tensor:
        weight = state[f"{convolution}.weight"]
        rows, columns = (max(0, (-(-side // stride) - 1) * stride + weight.shape[-1] - side) for side in x.shape[-2:])
        x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        x = F.conv2d(x, weight, stride=stride, groups=x.shape[1] if weight.shape[1] == 1 else 1)
        parts = (state[f"{normalisation}.{name}"] for name in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts, eps=1e-3)

    shifted = F.pad((images - 127) / 128, (2, -2, 2, -2))  # our cells lie two pixels nearer to theirs
    x, levels = F.relu6(apply(shifted, "_conv_stem", "_bn0", 2)), []
    for number, (expansion, _, stride, before, after) in enumerate(_BLOCKS):
        name = f"_blocks.{number}"
        y = F.relu6(apply(x, f"{name}._expand_conv", f"{name}._bn0")) if expansion > 1 else x
        y = apply(
            F.relu6(apply(y, f"{name}._depthwise_conv", f"{name}._bn1", stride)),
            f"{name}._project_conv",
            f"{name}._bn2",
        )
        x = x + y if stride == 1 and before == after else y
        if number in (2, 4, 10):
            levels.append(x)
    return levels


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.save(published(), tmp_path / "lite0.pth")
    return tmp_path / "lite0.pth"


@torch.inference_mode()
def test_folding_changes_nothing_but_where_the_picture_lies(file: Path) -> None:
    network = EfficientNetLite.from_package(file).eval()
    images = 255 * torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(network(images), unfolded(published(), images), strict=True):
        side = theirs.shape[-1] // 4  # towards its end, where ours shows two pixels more of it, the picture differs
        inside = (..., slice(0, side), slice(0, side))
        torch.testing.assert_close(ours[inside], theirs[inside], rtol=1e-3, atol=1e-3)


@torch.inference_mode()
def test_untrained_descriptors_are_alike_where_the_networks_maps_are(file: Path) -> None:
    pyramid = LitePyramid(LitePyramidConfig(channels=128), EfficientNetLite.from_package(file)).eval()
    images = 255 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    maps, levels = pyramid(images), pyramid.trunk(images)
    assert [tuple(level.shape[1:3]) for level in maps] == [(64 // stride,) * 2 for stride in STRIDES]
    coarse = maps[-1].flatten(0, 2)
    own = F.normalize(levels[-1], dim=1)[0].flatten(1).T
    torch.testing.assert_close(coarse @ coarse.T, own @ own.T, rtol=1e-3, atol=1e-4)


def test_a_network_of_the_preset_is_kept_whole_in_a_checkpoint(file: Path, tmp_path: Path) -> None:
    network = build("lite", pretrained=file).eval()
    checkpoints.save(tmp_path / "lite.safetensors", network.state_dict(), network.config, {})
    again = checkpoints.load(tmp_path / "lite.safetensors")
    assert isinstance(again, StdPose)
    assert again.config == network.config
    images = 255 * torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        for ours, theirs in zip(network.describe(images), again.describe(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("content", [b"", b"no weights at all", b"PK\x03\x04"])
def test_what_is_no_file_of_weights_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "lite0.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"lite0\.pth"):
        EfficientNetLite.from_package(path)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="holds no weights of EfficientNet-Lite0"):
        EfficientNetLite.from_package(tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="cannot be read"):
        EfficientNetLite.from_package(tmp_path / "missing.pth")
