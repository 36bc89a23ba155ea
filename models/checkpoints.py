"""Weights and recipe of a network on disk: ``NAME.safetensors`` and, beside it, ``NAME.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.backbone_config import (
    AnyBackboneConfig,
    AutoPyramidConfig,
    BackboneConfig,
    LitePyramidConfig,
    VitPyramidConfig,
)
from models.errors import CheckpointError
from models.stdpose import StdPose, StdPoseConfig

_Config = TypeVar("_Config")

_BACKBONES: dict[str, type[AnyBackboneConfig]] = {
    "convolutional": BackboneConfig,
    "lite": LitePyramidConfig,
    "vitpose": VitPyramidConfig,
    "auto": AutoPyramidConfig,
}


def save(path: Path, weights: Mapping[str, Tensor], config: StdPoseConfig, recipe: Mapping[str, Any]) -> None:
    """Write a checkpoint; weights are stored in half precision.

    Args:
        path: ``….safetensors``.
        weights: State of a :class:`StdPose`.
        config: Its size.
        recipe: How it came about, for people: seed, time, figures.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in weights.items()}
    unfinished = path.with_suffix(".part")
    save_file(halves, unfinished)
    about = {"network": "stdpose", "config": to_entries(config), "sha256": digest(unfinished), **recipe}
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    unfinished.replace(path)


def load(path: Path) -> StdPose:
    """The network of a checkpoint, ready for inference.

    Raises:
        CheckpointError: A file is missing or is not such a checkpoint, or its backbone takes a library that is missing.
    """
    recipe = path.with_suffix(".json")
    try:
        network = StdPose(from_entries(StdPoseConfig, json.loads(recipe.read_text())["config"]))
        network.load_state_dict(load_file(path))
    except OSError as error:
        raise CheckpointError(f"a checkpoint is a pair of files; {error.filename} cannot be read") from error
    except ImportError as error:
        raise CheckpointError(f"{path.name} cannot be used here: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} with {recipe.name} is not a checkpoint of stdpose: {error}") from error
    return network.eval()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
