"""Trained estimators on disk: one safetensors file that tells all about itself, and the same in JSON beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from models.backbones.entries import from_entries, to_entries
from models.errors import CheckpointError
from models.estimators.estimator import Estimator
from models.estimators.presets import ESTIMATORS
from models.weights import digest
from pose.skeleton import Skeleton, SkeletonError

_FORMAT = 1
_ABOUT = "posetween"  # the entry of the file's metadata


@dataclass(frozen=True, eq=False)
class Loaded:
    """A trained estimator.

    Attributes:
        estimator: The network, ready for inference, on the CPU.
        name: Which of ``models.estimators.presets.ESTIMATORS``.
        skeleton: What it finds.
        recipe: How it came about.
        sha256: Of its file.
    """

    estimator: Estimator
    name: str
    skeleton: Skeleton
    recipe: Mapping[str, Any]
    sha256: str


def save(path: Path, estimator: Estimator, name: str, skeleton: Skeleton, recipe: Mapping[str, Any]) -> None:
    """Write a checkpoint: ``NAME.safetensors``, and ``NAME.json`` for people. What was there is replaced at once.

    Args:
        path: ``….safetensors``.
        estimator: What was trained.
        name: Which estimator it is.
        skeleton: Of its keypoints.
        recipe: How it came about: data, seed, time, figures. Goes into the file as it is.
    """
    about = {
        "format": _FORMAT,
        "estimator": name,
        "config": to_entries(estimator.config),
        "skeleton": asdict(skeleton),
        "recipe": dict(recipe),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    weights = {key: tensor.detach().cpu().contiguous() for key, tensor in estimator.state_dict().items()}
    save_file(weights, unfinished, metadata={_ABOUT: json.dumps(about)})
    text = json.dumps({**about, "sha256": digest(unfinished)}, indent=2)
    unfinished.replace(path)
    path.with_suffix(".json").write_text(text + "\n")


def load(path: Path, skeleton: Skeleton | None = None) -> Loaded:
    """Read a checkpoint from its safetensors file alone.

    Args:
        path: ``….safetensors``.
        skeleton: That it must be of: the same keypoints in the same order.

    Raises:
        CheckpointError: The file is missing, torn, no safetensors or not of an estimator, or of another skeleton.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[_ABOUT])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path.name}") from error
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is not a whole checkpoint of an estimator (a safetensors file that was not changed)"
        ) from error
    try:
        if about["format"] != _FORMAT:
            raise CheckpointError(f"{path.name} was written by another version (its format is {about['format']})")
        name = about["estimator"]
        kind, own = ESTIMATORS[name], _skeleton(about["skeleton"])
        estimator = kind.network(from_entries(kind.config, about["config"]))
        estimator.load_state_dict(weights)
    except CheckpointError:
        raise
    except ImportError as error:
        raise CheckpointError(f"{path.name} cannot be used here: {error}") from error
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} is not a checkpoint of an estimator: {error}") from error
    if skeleton is not None and own.keypoints != skeleton.keypoints:
        raise CheckpointError(
            f"{path.name} finds the {own.size} keypoints of {own.name}, not the {skeleton.size} of {skeleton.name}"
        )
    return Loaded(estimator.eval(), name, own, about["recipe"], digest(path))


def _skeleton(entries: Mapping[str, Any]) -> Skeleton:
    try:
        return Skeleton(
            name=entries["name"],
            keypoints=tuple(entries["keypoints"]),
            edges=tuple((a, b) for a, b in entries["edges"]),
            swap=tuple((a, b) for a, b in entries["swap"]),
            sigmas=tuple(entries["sigmas"]),
        )
    except SkeletonError as error:
        raise ValueError(f"its skeleton contradicts itself: {error}") from error
