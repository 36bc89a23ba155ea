"""Configurations of networks that have a backbone, as entries of JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, Protocol, TypeVar, get_type_hints

from models.backbones.config import (
    AnyBackboneConfig,
    AutoPyramidConfig,
    BackboneConfig,
    LitePyramidConfig,
    VitPyramidConfig,
)

_Config = TypeVar("_Config")

_BACKBONES: dict[str, type[AnyBackboneConfig]] = {
    "convolutional": BackboneConfig,
    "lite": LitePyramidConfig,
    "vitpose": VitPyramidConfig,
    "auto": AutoPyramidConfig,
}


class OnBackbone(Protocol):
    """The configuration of a network that stands on a backbone: a dataclass."""

    @property
    def backbone(self) -> AnyBackboneConfig:
        """Of the backbone."""


def to_entries(config: OnBackbone) -> dict[str, Any]:
    """A configuration as JSON takes it; the backbone's entries say which kind it is."""
    kind = next(name for name, made in _BACKBONES.items() if isinstance(config.backbone, made))
    entries: dict[str, Any] = asdict(config)  # type: ignore[call-overload]
    return {**entries, "backbone": {"kind": kind, **entries["backbone"]}}


def from_entries(made: type[_Config], entries: Mapping[str, Any]) -> _Config:
    """The configuration that :func:`to_entries` was given.

    Raises:
        KeyError, TypeError, ValueError: The entries are not those of such a configuration.
    """
    backbone = dict(entries["backbone"])
    kind = backbone.pop("kind", "convolutional")  # unnamed where it was the only one
    if kind not in _BACKBONES:
        raise ValueError(f"its backbone is of the kind {kind!r}; known are {', '.join(_BACKBONES)}")
    return _rebuild(made, {**entries, "backbone": _rebuild(_BACKBONES[kind], backbone)})


def _rebuild(made: type[_Config], entries: Mapping[str, Any]) -> _Config:
    kinds, values = get_type_hints(made), dict[str, Any]()
    for name, value in dict(entries).items():
        kind = kinds.get(name)
        if isinstance(kind, type) and is_dataclass(kind):
            values[name] = _rebuild(kind, value)
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return made(**values)
