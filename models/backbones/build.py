"""Building a backbone from its configuration, or around published weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from models.backbones.config import (
    AnyBackboneConfig,
    AutoPyramidConfig,
    BackboneConfig,
    LitePyramidConfig,
    VitPyramidConfig,
)
from models.backbones.convolutional import Backbone
from models.backbones.efficientnet_lite import LitePyramid
from models.errors import CheckpointError


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
                from models.backbones.vitpose import VitPyramid
            return VitPyramid(config)
        case AutoPyramidConfig():
            with _transformers():
                from models.backbones.auto_pyramid import AutoPyramid
            return AutoPyramid(config)


def read_backbone(source: str | Path, config: AnyBackboneConfig) -> nn.Module:
    """A network around published weights, in place of that of a configuration and with as many channels.

    Weights of ViTPose must be of the configuration's size; those of any other backbone bring their own.

    Args:
        source: See ``models.backbones.published.describe``.
        config: Of the network that it stands in for.

    Raises:
        CheckpointError: There are no such weights, some are missing, or they are of another size or of no backbone.
        ImportError: transformers is not installed.
    """
    with _transformers():
        from models.backbones import published, vitpose
        from models.backbones.auto_pyramid import AutoPyramid
    if published.describe(source).model_type not in vitpose.KINDS:
        detail = config.detail if isinstance(config, VitPyramidConfig | AutoPyramidConfig) else AutoPyramidConfig.detail
        return AutoPyramid.from_pretrained(source, detail=detail, channels=config.channels)
    if not isinstance(config, VitPyramidConfig):
        raise CheckpointError(f"{source} holds a ViTPose; choose the preset of its size, small, base, large or huge")
    return vitpose.VitPyramid.from_pretrained(source, config)


@contextmanager
def _transformers() -> Iterator[None]:
    """Import what needs transformers within functions: that takes seconds, and is installed only where it is used."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError("this backbone needs transformers: pip install 'posetween[vitpose]'") from error
