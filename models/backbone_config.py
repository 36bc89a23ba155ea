"""Sizes of the networks that turn frames into maps of descriptors."""

from __future__ import annotations

from dataclasses import dataclass

#: Input pixels per cell of each level of descriptors, finest first.
STRIDES = (4, 8, 16)


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Size of a :class:`models.backbones.Backbone`; the defaults are those of the preset ``tiny``.

    Args:
        widths: Channels after the stem and at strides 4, 8 and 16.
        channels: ``C``, length of a descriptor.
    """

    widths: tuple[int, int, int, int] = (24, 48, 80, 128)
    channels: int = 64


@dataclass(frozen=True, kw_only=True)
class VitPyramidConfig:
    """Size of a :class:`models.vitpose.VitPyramid`; the defaults are ViTPose-B's.

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
