"""Networks as transformers keeps them, read from this machine: nothing is downloaded, and no code or pickle is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from models.errors import CheckpointError


def describe(source: str | Path) -> PreTrainedConfig:
    """The configuration of a network.

    Args:
        source: Folder as ``save_pretrained`` writes it, or the name of a repository that lies in the local cache of
            Hugging Face.

    Raises:
        CheckpointError: There is none.
    """
    with _telling(source):
        return cast(
            PreTrainedConfig, AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=False)
        )


def read(architecture: type[PreTrainedModel], source: str | Path, fresh: str, **changes: Any) -> PreTrainedModel:
    """A network with its weights.

    Args:
        architecture: Of the network.
        source: See :func:`describe`.
        fresh: How the names of weights begin that need not be there, and are random then.
        changes: Entries of the configuration that shall differ.

    Raises:
        CheckpointError: There is no such network, its weights cannot be read, do not fit, or some are missing.
    """
    with _telling(source):
        loaded = architecture.from_pretrained(
            source,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **changes,
        )
    network, report = cast(tuple[PreTrainedModel, dict[str, Any]], loaded)
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(fresh))
    if missing:
        raise CheckpointError(f"{source} lacks weights: {', '.join(missing[:3])}, {len(missing)} in all")
    return network


@contextmanager
def _telling(source: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(
            f"{source} holds no config.json and model.safetensors that can be read; give a folder as save_pretrained "
            "writes it, or the name of a repository in the local cache of Hugging Face (nothing is downloaded)"
        ) from error
