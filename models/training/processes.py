"""The processes that share a training, on one machine or several; mostly there is one."""

from __future__ import annotations

import atexit
from collections.abc import Hashable, Mapping
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, broadcast_object_list, gather_object
from torch import Tensor, nn

Value = TypeVar("Value")


class Processes:
    """This process among those that ``torchrun`` or ``accelerate launch`` began.

    What all must decide alike, such as when a training ends, is for the first to say: clocks differ, and so may the
    last digits of what each computes.

    Args:
        device: Where this process computes if it is the only one; several have one each.

    Attributes:
        device: Where this one computes.
        count: How many there are.
        number: Of this one.
    """

    def __init__(self, device: torch.device) -> None:
        self._accelerator = Accelerator(
            cpu=device.type == "cpu", kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)]
        )
        self.count: int = self._accelerator.num_processes
        self.number: int = self._accelerator.process_index
        self.device = device if self.count == 1 else self._accelerator.device
        if self.count > 1:
            # PyTorch asks that the group be left before a process ends. Twice is harmless.
            atexit.register(self._accelerator.end_training)

    @property
    def first(self) -> bool:
        """Return whether this process writes for all."""
        return self.number == 0

    def joined(self, network: nn.Module) -> nn.Module:
        """The network such that its gradients are the means over all."""
        wrapped: nn.Module = self._accelerator.prepare_model(network, device_placement=False)
        return wrapped

    def backward(self, loss: Tensor) -> None:
        """Compute gradients."""
        self._accelerator.backward(loss)

    def agreed(self, value: Value) -> Value:
        """The value that the first process has."""
        if self.count == 1:
            return value
        told: Value = broadcast_object_list([value])[0]
        return told

    def same(self, value: Hashable) -> bool:
        """Return whether all processes have the same value."""
        every: set[Hashable] = set() if self.count == 1 else set(gather_object([value]))
        return len(every) < 2

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean of each value over all, which have the same names."""
        if self.count == 1:
            return dict(values)
        every: list[Mapping[str, float]] = gather_object([dict(values)])
        return {name: sum(each[name] for each in every) / self.count for name in values}

    def wait(self) -> None:
        """Go on when all have come here."""
        self._accelerator.wait_for_everyone()
