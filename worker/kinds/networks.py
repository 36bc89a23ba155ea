"""Estimators on this machine: published backbones, and the files of checkpoints."""

from __future__ import annotations

from pathlib import Path

from app.settings import Settings
from app.storage import Step, Storage
from app.tables import Checkpoint
from models.errors import CheckpointError
from models.estimators import checkpoints
from models.estimators.checkpoints import Loaded
from models.estimators.presets import RANDOM, SHIPPED
from worker.context import JobFailed, MissingFile


def backbone_of(settings: Settings, name: str) -> str:
    """Where the weights are that a training begins with, as ``models.estimators.presets.build`` takes it.

    Raises:
        JobFailed: They are not on this worker.
    """
    if name in (SHIPPED, RANDOM):
        return name
    folder = settings.backbones / name
    if not folder.is_dir():
        raise JobFailed(
            f"this worker has no backbone {name}: put its weights into a folder of that name in its folder of "
            f"backbones, or train with the backbone {RANDOM!r}, which takes very many labels"
        )
    return str(folder)


def load(storage: Storage, checkpoint: Checkpoint, step: Step) -> Loaded:
    """The estimator of a checkpoint.

    Raises:
        MissingFile: Its file is not in the storage.
        JobFailed: It cannot be used here.
    """
    path = weights_of(storage, checkpoint, step)
    try:
        return checkpoints.load(path)
    except CheckpointError as error:
        raise JobFailed(f"checkpoint {checkpoint.id} cannot be used: {error}") from error


def weights_of(storage: Storage, checkpoint: Checkpoint, step: Step) -> Path:
    """The file of a checkpoint on this machine, to be opened at once.

    Raises:
        MissingFile: It is not in the storage.
    """
    try:
        path = storage.file(checkpoint.weights_sha256, step)
        path.stat()
    except FileNotFoundError as error:
        raise MissingFile(f"the weights of checkpoint {checkpoint.id} are missing from the storage") from error
    return path
