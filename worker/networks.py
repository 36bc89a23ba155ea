"""Networks on this machine: where they run, and the estimators in checkpoints."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from app.settings import Settings
from app.storage import Step, Storage
from app.tables import Checkpoint
from worker.context import JobFailed, Missing

if TYPE_CHECKING:
    from models.compute.devices import Compute
    from models.estimators.checkpoints import Loaded


def need_torch() -> None:
    """Check that networks can run here at all.

    Raises:
        JobFailed: There is no PyTorch.
    """
    if find_spec("torch") is None:
        raise JobFailed("estimators need PyTorch, which this worker lacks: pip install 'posetween[worker]'")


def compute_of(settings: Settings) -> Compute:
    """Where this worker's networks compute, and in which precision; loads PyTorch, as a network does.

    Raises:
        JobFailed: The worker has no such device, or the device does not compute in this precision.
    """
    from models.compute.devices import DeviceError, choose

    try:
        return choose(settings.device, settings.precision)
    except DeviceError as error:
        raise JobFailed(str(error)) from error


def backbone_of(settings: Settings, name: str) -> str:
    """Where the weights are that a training begins with, as ``models.estimators.presets.build`` takes it.

    Raises:
        JobFailed: They are not on this worker.
    """
    from models.estimators.presets import RANDOM, SHIPPED

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
        Missing: Its file is not in the storage.
        JobFailed: It cannot be used here.
    """
    from models.errors import CheckpointError

    path = weights_of(storage, checkpoint, step)
    try:
        from models.estimators.checkpoints import load as read

        return read(path)
    except CheckpointError as error:
        raise JobFailed(f"checkpoint {checkpoint.id} cannot be used: {error}") from error


def weights_of(storage: Storage, checkpoint: Checkpoint, step: Step) -> Path:
    """The file of a checkpoint on this machine, to be opened at once.

    Raises:
        Missing: It is not in the storage.
    """
    try:
        path = storage.file(checkpoint.weights_sha256, step)
        path.stat()
    except FileNotFoundError as error:
        raise Missing(f"the weights of checkpoint {checkpoint.id} are missing from the storage") from error
    return path
