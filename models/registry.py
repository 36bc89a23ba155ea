"""The engines by name."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from models.engines.engine import Engine
from models.engines.flow import Flow
from models.engines.linear import Linear
from models.weights import TINY

if TYPE_CHECKING:
    from models.stdpose.engine import StdPoseEngine

#: Those that need no weights.
CLASSICAL: dict[str, Engine] = {"flow": Flow(), "linear": Linear()}

NAMES = ("stdpose", *CLASSICAL)


class PropagationError(ValueError):
    """A propagation that cannot be done as asked."""


def resolve(
    name: str = "auto",
    checkpoint: Path | None = None,
    *,
    adapt: bool = False,
    device: str = "auto",
    precision: str = "auto",
) -> Engine:
    """The engine of a name.

    ``auto`` is ``stdpose`` where it will be fitted to the video, else ``flow``: with the weights that there are
    now, ``stdpose`` is the better of the two only when fitted. PyTorch is imported only for ``stdpose``, whose weights
    are read once.

    Args:
        name: ``auto`` or one of ``NAMES``.
        checkpoint: Other weights than those of the package, for ``stdpose``.
        adapt: Whether the engine will be fitted to the video, see ``models.adaptation``, if it can be.
        device: Where its network runs, see ``models.compute.devices.choose``.
        precision: In which precision it computes there.

    Raises:
        PropagationError: There is no such engine, or what it needs is not here.
    """
    if name == "auto":
        name = "stdpose" if checkpoint is not None or (adapt and TINY.exists() and find_spec("torch")) else "flow"
    if name not in NAMES:
        raise PropagationError(f"there is no engine {name!r}; there are auto, {', '.join(NAMES)}")
    if name in CLASSICAL:
        if checkpoint is not None:
            raise PropagationError(f"a checkpoint is for the engine stdpose; {name} has no weights")
        return CLASSICAL[name]
    return _stdpose(checkpoint or TINY, device, precision)


def adaptable(engine: Engine) -> TypeGuard[StdPoseEngine]:
    """Return whether an engine can be fitted to a video, see ``models.adaptation.adaptation``."""
    return engine.name == "stdpose"


@cache
def _stdpose(checkpoint: Path, device: str, precision: str) -> Engine:
    if find_spec("torch") is None:
        raise PropagationError("the engine stdpose needs PyTorch: pip install 'posetween[worker]'")
    from models.compute.devices import choose
    from models.errors import CheckpointError
    from models.stdpose.engine import StdPoseEngine

    try:
        return StdPoseEngine.from_checkpoint(checkpoint, compute=choose(device, precision))
    except (CheckpointError, ValueError) as error:
        raise PropagationError(str(error)) from error
