"""Where networks run."""

from __future__ import annotations

import torch


def pick(name: str = "auto") -> torch.device:
    """A device by name, as PyTorch writes it; ``auto`` is a GPU where there is one, the CPU elsewhere.

    Raises:
        ValueError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"there is no device {name!r} here: {str(error).splitlines()[0]}") from error
    return device
