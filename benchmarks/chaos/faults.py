"""What is done to the service. A fault strikes and gives what ends it, where the service does not do that itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import psycopg
from sqlalchemy import make_url

from benchmarks.chaos.installation import LEASE_SECONDS, Installation
from benchmarks.chaos.processes import Process

#: Ends a fault; None where nobody has to.
Mend = Callable[[], None] | None


@dataclass(frozen=True)
class Fault:
    """Something that happens to a service.

    Attributes:
        name: In the table of results.
        strike: Does it, at a moment when work of some stage is under way.
        lacks: Why it cannot be done to an installation; None where it can.
        seconds: It lasts from so long to so long.
    """

    name: str
    strike: Callable[[Installation, Random, str], Mend]
    lacks: Callable[[Installation], str | None] = lambda installation: None
    seconds: tuple[float, float] = (0.0, 3.0)


def kill_worker(installation: Installation, rng: Random, stage: str) -> Mend:
    """Kill -9 of a worker that has a job of the stage, or of any worker where none has."""
    pid = _holder(installation, rng, stage)
    worker = next((one for one in installation.workers if one.pid == pid and one is not installation.api), None)
    if worker is None:  # one of those beside the API, which ``posetween up`` starts again
        installation.expect_worker(pid)
        os.kill(pid, signal.SIGKILL)
        return None
    worker.kill()
    return worker.start


def stop_worker(installation: Installation, rng: Random, stage: str) -> Mend:
    """SIGSTOP of a worker that holds a lease, and SIGCONT when it is over."""
    pid = _holder(installation, rng, stage)
    os.kill(pid, signal.SIGSTOP)
    return lambda: _resume(pid)


def kill_api(installation: Installation, rng: Random, stage: str) -> Mend:
    """Kill -9 of the process that answers requests."""
    installation.api.kill()
    return installation.api.start


def kill_redis(installation: Installation, rng: Random, stage: str) -> Mend:
    """Kill -9 of Redis, which keeps nothing: every message is lost."""
    return _kill(installation.redis)


def kill_postgres(installation: Installation, rng: Random, stage: str) -> Mend:
    """Kill -9 of the postmaster."""
    return _kill(installation.postgres)


def kill_backend(installation: Installation, rng: Random, stage: str) -> Mend:
    """Kill -9 of one of Postgres's processes that serve the service; Postgres then ends all of them by itself."""
    address = make_url(installation.settings.database).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(address, autocommit=True) as connection:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
            "ORDER BY state <> 'idle' DESC, state_change DESC LIMIT 3"
        )
        pids = [pid for (pid,) in connection.execute(query)]
    with suppress(ProcessLookupError):
        os.kill(rng.choice(pids), signal.SIGKILL)
    return None


def jump_clock(installation: Installation, rng: Random, stage: str) -> Mend:
    """A clock jumps by up to two hours, and back when it is over: another jump."""
    clock = installation.clocks[rng.choice(sorted(installation.clocks))]
    clock.jump(rng.choice((-1, 1)) * rng.randrange(60, 7200))
    return lambda: clock.jump(0)


def fill_disk(installation: Installation, rng: Random, stage: str) -> Mend:
    """The disk of the data folder is full but for a few kilobytes."""
    assert installation.disk is not None
    filling = installation.disk / "filling"
    end = time.monotonic() + 0.5
    with filling.open("wb", buffering=0) as file:
        while time.monotonic() < end:
            free = os.statvfs(filling).f_bavail * os.statvfs(filling).f_frsize - rng.randrange(64 * 1024)
            if free <= 0:
                break
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
    return lambda: filling.unlink(missing_ok=True)


def fail_storage(installation: Installation, rng: Random, stage: str) -> Mend:
    """One in ten calls of the S3 server answers 500, or does not answer at all."""
    proxy = installation.proxy
    assert proxy is not None
    proxy.share = 0.1

    def mend() -> None:
        proxy.share = 0.0

    return mend


def _holder(installation: Installation, rng: Random, stage: str) -> int:
    known = installation.worker_pids()
    holders = [pid for pid in installation.owners(stage) or installation.owners() if pid in known]
    return rng.choice(holders or known)


def _kill(process: Process | None) -> Mend:
    assert process is not None
    process.kill()
    return process.start


def _resume(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _has(what: str, sentence: str) -> Callable[[Installation], str | None]:
    return lambda installation: None if getattr(installation, what) else sentence


FAULTS = (
    Fault("worker killed", kill_worker),
    Fault("API killed", kill_api),
    Fault("Redis killed", kill_redis, _has("redis", "no Redis here")),
    Fault("Postgres killed", kill_postgres, _has("postgres", "no Postgres here")),
    Fault("a backend of Postgres killed", kill_backend, _has("postgres", "no Postgres here")),
    Fault("lease holder stopped", stop_worker, seconds=(1.1 * LEASE_SECONDS, 2.5 * LEASE_SECONDS)),
    Fault("clock jumps", jump_clock, _has("clocks", "SKIPPED: no C compiler for the library that shifts clocks")),
    Fault("disk full", fill_disk, _has("disk", "SKIPPED: a small disk can be mounted by root in a Linux only")),
    Fault("storage errors in 10 % of calls", fail_storage, _has("proxy", "storage is a folder"), seconds=(3.0, 6.0)),
)
