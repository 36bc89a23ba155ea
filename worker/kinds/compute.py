"""The device of this worker."""

from __future__ import annotations

from app.settings import Settings
from models.compute.devices import Compute, DeviceError, choose
from worker.context import JobFailed


def compute_of(settings: Settings) -> Compute:
    """Where this worker's networks compute, and in which precision; loads PyTorch, as a network does.

    Raises:
        JobFailed: The worker has no such device, or the device does not compute in this precision.
    """
    try:
        return choose(settings.device, settings.precision)
    except DeviceError as error:
        raise JobFailed(str(error)) from error
