"""The state from which a stopped training goes on, in one file that is either old or new, never half."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from models.errors import CheckpointError


def save(
    path: Path,
    network: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Write network, average of its past, optimiser, how far they have come, and what ``about`` tells."""
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"average/{name}": tensor for name, tensor in average.state_dict().items()}
    for index, entries in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": torch.as_tensor(value) for name, value in entries.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    save_file(
        {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()},
        unfinished,
        metadata={"progress": json.dumps(dict(progress)), "about": json.dumps(about)},
    )
    unfinished.replace(path)


def read_about(path: Path) -> dict[str, Any]:
    """The ``about`` that :func:`save` was given.

    Raises:
        CheckpointError: The file is not a state of a training.
    """
    return _entry(path, "about")


def read_progress(path: Path) -> dict[str, Any]:
    """The progress that :func:`save` was given.

    Raises:
        CheckpointError: The file is not a state of a training.
    """
    return _entry(path, "progress")


def _entry(path: Path, name: str) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            entry: dict[str, Any] = json.loads(file.metadata()[name])
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not the state of a training: {error}") from error
    return entry


def restore(path: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Bring back what :func:`save` wrote.

    Returns:
        How far the training had come.

    Raises:
        CheckpointError: The file is of another network.
    """
    with safe_open(path, framework="pt") as file:
        progress: dict[str, Any] = json.loads(file.metadata()["progress"])
        tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    try:
        network.load_state_dict(_below("network/", tensors))
        average.load_state_dict(_below("average/", tensors))
    except RuntimeError as error:
        raise CheckpointError(f"{path} is the state of another network: {error}") from error
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _below("optimizer/", tensors).items():
        index, entry = name.split("/")
        state.setdefault(int(index), {})[entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return progress


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
