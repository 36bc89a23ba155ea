"""Networks on this machine: where they run, and the estimators in checkpoints."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from app.storage import Step, Storage
from app.tables import Checkpoint
from worker.context import JobFailed

if TYPE_CHECKING:
    from models.estimators.checkpoints import Loaded


def need_torch() -> None:
    """Check that networks can run here at all.

    Raises:
        JobFailed: There is no PyTorch.
    """
    if find_spec("torch") is None:
        raise JobFailed("estimators need PyTorch, which this worker lacks: pip install 'posetween[worker]'")


def device_of(wanted: str) -> str:
    """Where a network runs, as metrics name it; loads PyTorch, as the network has."""
    from models.devices import pick

    device = pick(wanted)
    return f"cuda:{device.index or 0}" if device.type == "cuda" else device.type


def load(storage: Storage, checkpoint: Checkpoint, step: Step) -> Loaded:
    """The estimator of a checkpoint.

    Raises:
        JobFailed: Its file is gone, or cannot be used here.
    """
    from models.checkpoints import CheckpointError

    try:
        from models.estimators.checkpoints import load as read

        return read(storage.file(checkpoint.weights_sha256, step))
    except FileNotFoundError as error:
        raise JobFailed(f"the weights of checkpoint {checkpoint.id} are missing from the storage") from error
    except CheckpointError as error:
        raise JobFailed(f"checkpoint {checkpoint.id} cannot be used: {error}") from error
