"""Limits for child processes that open files of strangers."""

from __future__ import annotations

import resource


def confine(memory_bytes: int, cpu_seconds: float) -> None:
    """Bound this process: address space, processor time, no core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for what, limit in ((resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CPU, int(cpu_seconds) + 1)):
        _, hard = resource.getrlimit(what)
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(what, (allowed, allowed))
