"""Weights and recipe of STDPose on disk: ``NAME.safetensors`` and, beside it, ``NAME.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.backbones.entries import from_entries, to_entries
from models.errors import CheckpointError
from models.stdpose.network import StdPose, StdPoseConfig
from models.weights import digest


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
