"""Weights and recipe of a network on disk: ``NAME.safetensors`` and, beside it, ``NAME.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.backbones import BackboneConfig
from models.stdpose import StdPose, StdPoseConfig


class CheckpointError(ValueError):
    """A checkpoint that cannot be used."""


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
    about = {"network": "stdpose", "config": asdict(config), "sha256": digest(unfinished), **recipe}
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    unfinished.replace(path)


def load(path: Path) -> StdPose:
    """The network of a checkpoint, ready for inference.

    Raises:
        CheckpointError: A file is missing or is not such a checkpoint.
    """
    recipe = path.with_suffix(".json")
    try:
        config = json.loads(recipe.read_text())["config"]
        backbone = config.pop("backbone")
        widths = tuple(backbone.pop("widths"))
        network = StdPose(StdPoseConfig(**config, backbone=BackboneConfig(**backbone, widths=widths)))
        network.load_state_dict({name: tensor.float() for name, tensor in load_file(path).items()})
    except OSError as error:
        raise CheckpointError(f"a checkpoint is a pair of files; {error.filename} cannot be read") from error
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} with {recipe.name} is not a checkpoint of stdpose: {error}") from error
    return network.eval()


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
