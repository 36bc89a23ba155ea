"""Networks that turn frames into maps of descriptors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbone_config import (
    STRIDES,
    AnyBackboneConfig,
    AutoPyramidConfig,
    BackboneConfig,
    LitePyramidConfig,
    VitPyramidConfig,
)
from models.efficientnet_lite import LitePyramid
from models.errors import CheckpointError
from models.layers import GROUPS, Residual, enlarge


def build_backbone(config: AnyBackboneConfig) -> nn.Module:
    """The network of a configuration, with random weights.

    Raises:
        ImportError: It takes transformers, which is not installed.
        ValueError: The configuration is of no network that is known.
    """
    match config:
        case BackboneConfig():
            return Backbone(config)
        case LitePyramidConfig():
            return LitePyramid(config)
        case VitPyramidConfig():
            with _transformers():
                from models.vitpose import VitPyramid
            return VitPyramid(config)
        case AutoPyramidConfig():
            with _transformers():
                from models.auto_pyramid import AutoPyramid
            return AutoPyramid(config)


def read_backbone(source: str | Path, config: AnyBackboneConfig) -> nn.Module:
    """A network around published weights, in place of that of a configuration and with as many channels.

    Weights of ViTPose must be of the configuration's size; those of any other backbone bring their own.

    Args:
        source: See ``models.published.describe``.
        config: Of the network that it stands in for.

    Raises:
        CheckpointError: There are no such weights, some are missing, or they are of another size or of no backbone.
        ImportError: transformers is not installed.
    """
    with _transformers():
        from models import published, vitpose
        from models.auto_pyramid import AutoPyramid
    if published.describe(source).model_type not in vitpose.KINDS:
        detail = config.detail if isinstance(config, VitPyramidConfig | AutoPyramidConfig) else AutoPyramidConfig.detail
        return AutoPyramid.from_pretrained(source, detail=detail, channels=config.channels)
    if not isinstance(config, VitPyramidConfig):
        raise CheckpointError(f"{source} holds a ViTPose; choose the preset of its size, small, base, large or huge")
    return vitpose.VitPyramid.from_pretrained(source, config)


@contextmanager
def _transformers() -> Iterator[None]:
    """What imports it stands within functions: it takes seconds, and is installed only where it is used."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError("this backbone needs transformers: pip install 'posetween[vitpose]'") from error


def pad(images: np.ndarray) -> np.ndarray:
    """Repeat the last row and column of ``(T, H, W, 3)`` images until both sides are whole cells of every level."""
    rows, columns = (-side % STRIDES[-1] for side in images.shape[1:3])
    return np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else images


class Backbone(nn.Module):
    """A small convolutional network with descriptors at strides 4, 8 and 16.

    Residual blocks with group normalisation (the frames of one clip are too alike for batch statistics), and a feature
    pyramid that brings the context of coarse levels to fine ones (Lin et al., *Feature pyramid networks*, CVPR 2017).
    The paper's backbone is a ViT; this stands in for it on machines without a GPU.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        stem, fine, middle, coarse = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 5, 2, 2, bias=False), nn.GroupNorm(GROUPS, stem), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(before, after, 2), Residual(after, after, 1))
            for before, after in ((stem, fine), (fine, middle), (middle, coarse))
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.channels, 1) for width in (fine, middle, coarse))
        self.smooth = nn.ModuleList(nn.Conv2d(config.channels, config.channels, 3, 1, 1) for _ in range(2))

    @property
    def pretrained(self) -> nn.Module:
        """The part that was trained before: all of it."""
        return self

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Describe every cell of some images.

        Args:
            images: ``(N, 3, H, W)`` RGB in 0 to 255; ``H`` and ``W`` are multiples of 16.

        Returns:
            For each of ``STRIDES`` descriptors of length 1, ``(N, H / stride, W / stride, C)`` float32.
        """
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        deviation = images.std(dim=(1, 2, 3), keepdim=True)
        x = self.stem(((images - mean) / (deviation + 8)).contiguous(memory_format=torch.channels_last))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        fine, middle, coarse = (lateral(level) for lateral, level in zip(self.lateral, levels, strict=True))
        middle = self.smooth[1](middle + enlarge(coarse, middle))
        fine = self.smooth[0](fine + enlarge(middle, fine))
        return tuple(F.normalize(level.float(), dim=1).permute(0, 2, 3, 1) for level in (fine, middle, coarse))
