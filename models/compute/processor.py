"""The processor of this machine, and the share of it that this process may use; nothing here loads PyTorch."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Flags of a processor that decide how fast networks compute on it, as Linux names them.
TELLING = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "i8mm", "bf16")

# oneDNN computes in bfloat16 natively with these; what it may use can be limited from outside.
_X86_BF16 = frozenset({"avx512_bf16", "amx_bf16"})
_ARM_BF16 = "bf16"
_CAPS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_CAPS_WITHOUT_BF16 = frozenset({"SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI"})
_ATEN_CAP, _ATEN_WITHOUT_BF16 = "ATEN_CPU_CAPABILITY", frozenset({"default", "avx2"})


@dataclass(frozen=True)
class Processor:
    """A processor.

    Attributes:
        name: As it calls itself.
        flags: What it can do, as Linux lists it; empty where the system does not tell.
    """

    name: str
    flags: frozenset[str]

    @classmethod
    def of(cls, cpuinfo: str) -> Processor:
        """The processor that a text like that of ``/proc/cpuinfo`` tells of: its first one."""
        first: dict[str, str] = {}
        for line in cpuinfo.splitlines():
            key, _, value = line.partition(":")
            first.setdefault(key.strip().lower(), value.strip())
        flags = first.get("flags", first.get("features", ""))
        name = first.get("model name") or platform.processor() or platform.machine()
        return cls(name, frozenset(flags.lower().split()))

    @classmethod
    def here(cls) -> Processor:
        """That of this machine."""
        try:
            return cls.of(Path("/proc/cpuinfo").read_text())
        except OSError:
            return cls.of("")

    @property
    def telling_flags(self) -> tuple[str, ...]:
        """Those of ``TELLING`` that it has."""
        return tuple(flag for flag in TELLING if flag in self.flags)

    def has_bf16(self, environ: Mapping[str, str] = os.environ) -> bool:
        """Return whether it has instructions for bfloat16 that PyTorch may use."""
        return self.computes_in_bf16(environ) or _ARM_BF16 in self.flags

    def computes_in_bf16(self, environ: Mapping[str, str] = os.environ) -> bool:
        """Return whether PyTorch computes all in bfloat16 with such instructions: AVX512-BF16 or AMX.

        PyTorch trains on ARM processors with parts that emulate bfloat16, whatever the processor has. Whether it is the
        faster one is another question, see ``models.compute.precision_trial``.

        Args:
            environ: The environment, which can forbid PyTorch such instructions.
        """
        capped = any(environ.get(name, "").upper() in _CAPS_WITHOUT_BF16 for name in _CAPS)
        capped |= environ.get(_ATEN_CAP, "").lower() in _ATEN_WITHOUT_BF16
        return bool(_X86_BF16 & self.flags) and not capped


@dataclass(frozen=True)
class Share:
    """The share of a machine that a process may use.

    Attributes:
        cores: Those it may run on, by its affinity.
        quota: How many of them it may keep busy, by its control group; None for all.
        memory: Bytes it may use: of the machine, or what its control group allows where that is less; None where
            nothing tells.
    """

    cores: int
    quota: float | None = None
    memory: int | None = None

    @property
    def threads(self) -> int:
        """The number of threads that can compute at a time: the quota would hold up more, all of them at once."""
        return max(1, min(self.cores, int(self.quota) if self.quota is not None else self.cores))


def share_of_machine(root: Path = Path("/")) -> Share:
    """The share of this machine that this process may use.

    Args:
        root: Folder of ``proc`` and ``sys``.
    """
    quotas = list(_quotas(root))
    limits = [*_memory_limits(root), *_memory(root)]
    return Share(_affinity(), min(quotas, default=None), min(limits, default=None))


def _affinity() -> int:
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Of the control group and those around it: cores' worth of time, where it is limited."""
    for group in _groups(root, "cpu"):
        fields = _read(group / "cpu.max").split() or [
            _read(group / "cpu.cfs_quota_us"),
            _read(group / "cpu.cfs_period_us"),
        ]
        if all(part.isdecimal() for part in fields) and len(fields) == 2 and int(fields[1]):
            yield int(fields[0]) / int(fields[1])


def _memory_limits(root: Path) -> Iterator[int]:
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(group / name)
            if text.isdecimal():
                yield int(text)


def _memory(root: Path) -> Iterator[int]:
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            yield int(line.split()[1]) * 1024


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, of both versions, each from the inside out."""
    mount = root / "sys/fs/cgroup"
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = mount if not controllers else _first_folder(mount / controllers, mount / controller)
        inner = top / path.lstrip("/")
        # Within a container the path may be that outside of it: what is there is what holds.
        while top in inner.parents:
            yield inner
            inner = inner.parent
        yield top


def _first_folder(*folders: Path) -> Path:
    return next((folder for folder in folders if folder.is_dir()), folders[-1])


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
