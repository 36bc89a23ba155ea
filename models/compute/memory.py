"""Telling that memory ran out, of a GPU or of the machine."""

from __future__ import annotations

import sys


def ran_out(error: BaseException) -> bool:
    """Return whether an error says that there was too little memory."""
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    # PyTorch has no error of its own for the memory of the CPU.
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
