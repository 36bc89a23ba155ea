"""Where networks compute: on which device, in which precision, with how many threads, and how these wait.

This is the one place that decides it. PyTorch is loaded by what needs it, not with this module, since OpenMP reads how
its threads wait when PyTorch is loaded; so ``wait_passively`` comes first in a process::

    wait_passively()
    use_threads()
    compute = choose("auto", "auto")
    with compute.autocast():
        ...
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, cast, get_args

from models.compute.processor import Processor, share_of_machine

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

Precision = Literal["fp32", "bf16"]

#: What can be wished for; ``auto`` is bf16 where the device computes it natively and is faster for it, else fp32.
PRECISIONS = ("auto", *get_args(Precision))

_COMPUTING = ("torch", "numpy", "av")  # beside OpenCV, which has more names than one
_THREADS, _OPENCV_THREADS = "OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"
#: Variables that say how OpenMP's threads wait for each other: of every OpenMP, GNU's (which PyTorch has), Intel's.
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")


class DeviceError(ValueError):
    """A device that is not here, or that lacks what is asked of it."""


@dataclass(frozen=True)
class Compute:
    """Where a network computes, and in which precision.

    Attributes:
        device: Where.
        precision: Of matrix products and convolutions; weights are kept in fp32, and so is what is sensitive.
        learning: Of those while networks learn; as ``precision`` where left out.
    """

    device: torch.device
    precision: Precision
    learning: Precision | None = None

    def to_learn(self) -> Compute:
        """Where networks learn, and in which precision."""
        return Compute(self.device, self.learning or self.precision)

    def autocast(self) -> AbstractContextManager[object]:
        """A context in which PyTorch computes in this precision where that is safe."""
        import torch

        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    @property
    def dtype(self) -> torch.dtype:
        """The type in which descriptors of frames are kept."""
        import torch

        return torch.bfloat16 if self.precision == "bf16" else torch.float32

    @property
    def device_name(self) -> str:
        """As metrics and pedigrees name the device: ``cpu``, ``cuda:0``."""
        return f"cuda:{self.device.index or 0}" if self.device.type == "cuda" else self.device.type

    def fingerprint(self) -> str:
        """All that the last bits of results depend on here, as far as anybody knows."""
        import torch

        name = Processor.here().name
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
        parts = [self.device, self.precision, name, torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()]
        return " ".join(map(str, [*parts, *(f"{library} {version(library)}" for library in _COMPUTING)]))

    def pedigree(self) -> dict[str, object]:
        """Entries for a result's pedigree: where it was computed."""
        import torch

        return {"device": self.device_name, "precision": self.precision, "threads": torch.get_num_threads()}


def choose(device: str = "auto", precision: str = "auto") -> Compute:
    """Where to compute, and in which precision.

    Args:
        device: As PyTorch writes it; ``auto`` is a GPU where there is one, the CPU elsewhere.
        precision: One of ``PRECISIONS``.

    Raises:
        DeviceError: There is no such device or precision, or the device does not compute in this precision.
    """
    if precision not in PRECISIONS:
        raise DeviceError(f"a precision is one of {', '.join(PRECISIONS)}, not {precision!r}")
    chosen = Compute(_pick(device), *_precisions(_pick(device), precision))
    _say(chosen.device_name, chosen.precision, chosen.to_learn().precision)
    return chosen


def in_full(device: torch.device) -> AbstractContextManager[object]:
    """A context in which PyTorch computes in fp32, whatever it is within: for networks that need it."""
    return Compute(device, "fp32").autocast()


def check(device: str = "auto", precision: str = "auto") -> None:
    """See whether ``choose`` would refuse, without loading PyTorch where that can be told without.

    Raises:
        DeviceError: See ``choose``.
    """
    needless = precision in ("auto", "fp32") or (precision == "bf16" and Processor.here().has_bf16())
    if device not in ("auto", "cpu") or not needless:
        choose(device, precision)


def wait_passively(environ: MutableMapping[str, str] = os.environ) -> bool:
    """Have OpenMP's threads sleep while they wait for each other, unless the user has said how they wait.

    By default they spin, which takes time from all else that runs on a machine. OpenMP reads this when PyTorch is
    loaded; child processes inherit it.

    Returns:
        Whether they sleep by our choice.
    """
    if any(name in environ for name in WAITING):
        return environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"
    environ["OMP_WAIT_POLICY"] = "PASSIVE"
    return True


def use_threads(number: int = 0, environ: MutableMapping[str, str] = os.environ) -> int:
    """Have PyTorch and OpenCV compute with some threads in this process, and in children started from now on.

    Args:
        number: How many; 0 for as many as the user has told OpenMP, else as many as can run at a time by the
            process's affinity and control group.
        environ: Where both read it when they are loaded.

    Returns:
        How many.
    """
    told = environ.get(_THREADS, "").split(",")[0].strip()
    threads = number or (int(told) if told.isdecimal() and int(told) else share_of_machine().threads)
    environ[_THREADS] = environ[_OPENCV_THREADS] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)
    return threads


def _pick(name: str) -> torch.device:
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(f"there is no device {name!r} here: {str(error).splitlines()[0]}") from error
    return device


def _precisions(device: torch.device, wanted: str) -> tuple[Precision, Precision]:
    """Of computing, and of learning."""
    import torch

    natively, name = False, device.type
    if device.type == "cuda":
        natively, name = torch.cuda.is_bf16_supported(including_emulation=False), torch.cuda.get_device_name(device)
    elif device.type == "cpu":
        processor = Processor.here()
        natively, name = processor.has_bf16(), processor.name
    if wanted == "bf16" and not natively:
        raise DeviceError(
            f"precision bf16: {name} has no instructions for it, so it would be emulated, many times slower than fp32; "
            "take fp32, or auto"
        )
    if wanted != "auto":
        return cast(Precision, wanted), cast(Precision, wanted)
    if device.type == "cpu":
        return _faster_here() if Processor.here().computes_in_bf16() else ("fp32", "fp32")
    return ("bf16", "bf16") if natively else ("fp32", "fp32")


@cache
def _faster_here() -> tuple[Precision, Precision]:
    """The precision in which this processor is faster: computing, and learning."""
    import torch

    from models.compute.precision_trial import WORTH, compare

    cpu = torch.device("cpu")
    trial = compare(Compute(cpu, "fp32").autocast, Compute(cpu, "bf16").autocast)
    log.info("bf16 takes %.2f of the time of fp32 here, and to learn %.2f", trial.infer, trial.learn)
    return "bf16" if trial.infer <= WORTH else "fp32", "bf16" if trial.learn <= WORTH else "fp32"


@cache
def _say(device: str, precision: str, learning: str) -> None:
    log.info(
        "networks compute on %s in %s, and learn in %s",
        device,
        precision,
        learning,
        extra={"device": device, "precision": precision, "learning": learning},
    )
