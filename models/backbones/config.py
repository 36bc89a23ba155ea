"""Sizes of the networks that turn frames into maps of descriptors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Input pixels per cell of each level of descriptors, finest first.
STRIDES = (4, 8, 16)

#: Mean and deviation of the colours of ImageNet, red, green and blue, for values in 0 to 1.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Size of a :class:`models.backbones.convolutional.Backbone`; the defaults are those of the preset ``tiny``.

    Args:
        widths: Channels after the stem and at strides 4, 8 and 16.
        channels: ``C``, length of a descriptor.
    """

    widths: tuple[int, int, int, int] = (24, 48, 80, 128)
    channels: int = 64


@dataclass(frozen=True, kw_only=True)
class LitePyramidConfig:
    """Size of a :class:`models.backbones.efficientnet_lite.LitePyramid`; the defaults are those of the preset ``lite``.

    Args:
        channels: ``C``, length of a descriptor.
    """

    channels: int = 64


@dataclass(frozen=True, kw_only=True)
class VitPyramidConfig:
    """Size of a :class:`models.backbones.vitpose.VitPyramid`; the defaults are ViTPose-B's.

    Args:
        width: Of a token.
        depth: Transformer layers.
        heads: Of their attention.
        grid: Rows and columns of the learned position embedding, which is resized to the tokens of a crop.
        detail: Channels of the convolutional stream after its stem and at strides 4 and 8.
        channels: ``C``, length of a descriptor.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    grid: tuple[int, int] = (16, 12)
    detail: tuple[int, int, int] = (32, 64, 96)
    channels: int = 128


@dataclass(frozen=True, kw_only=True)
class AutoPyramidConfig:
    """Size of a :class:`models.backbones.auto_pyramid.AutoPyramid`.

    Args:
        body: The entries of transformers' configuration of its network, as JSON takes them.
        detail: Channels of the convolutional stream after its stem and at strides 4 and 8.
        channels: ``C``, length of a descriptor.
        mean: Of the colours that the network was trained with, for values in 0 to 1.
        deviation: Likewise.
    """

    body: Mapping[str, Any]
    detail: tuple[int, int, int] = (32, 64, 96)
    channels: int = 128
    mean: tuple[float, float, float] = IMAGENET[0]
    deviation: tuple[float, float, float] = IMAGENET[1]


AnyBackboneConfig = BackboneConfig | LitePyramidConfig | VitPyramidConfig | AutoPyramidConfig


def pad(images: np.ndarray) -> np.ndarray:
    """Repeat the last row and column of ``(T, H, W, 3)`` images until both sides are whole cells of every level."""
    rows, columns = (-side % STRIDES[-1] for side in images.shape[1:3])
    return np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else images
