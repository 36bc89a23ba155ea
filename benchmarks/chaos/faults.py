"""What is done to the service. A fault strikes and gives what ends it, where the service does not do that itself."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass

import psycopg
from sqlalchemy import make_url

from benchmarks.chaos.attacks import flip_object, poison, withhold_bodies
from benchmarks.chaos.installation import LEASE_SECONDS, Installation
from benchmarks.chaos.moment import Moment
from benchmarks.chaos.processes import Process
from benchmarks.chaos.restoring import restore_elsewhere

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
        attack: Whether another lab's writes are timed while it lasts: they must not feel it.
    """

    name: str
    strike: Callable[[Moment], Mend]
    lacks: Callable[[Installation], str | None] = lambda installation: None
    seconds: tuple[float, float] = (0.0, 3.0)
    attack: bool = False


def kill_worker(moment: Moment) -> Mend:
    """Kill -9 of a worker that has a job of the stage, or of any worker where none has."""
    pid = _holder(moment)
    worker = next(
        (one for one in moment.installation.workers if one.pid == pid and one is not moment.installation.api), None
    )
    if worker is None:  # one of those beside the API, which ``posetween up`` starts again
        moment.installation.expect_worker(pid)
        os.kill(pid, signal.SIGKILL)
        return None
    worker.kill()
    return worker.start


def stop_worker(moment: Moment) -> Mend:
    """SIGSTOP of a worker that holds a lease, and SIGCONT when it is over."""
    pid = _holder(moment)
    os.kill(pid, signal.SIGSTOP)
    return lambda: _resume(pid)


def kill_api(moment: Moment) -> Mend:
    """Kill -9 of the process that answers requests."""
    moment.installation.api.kill()
    return moment.installation.api.start


def kill_redis(moment: Moment) -> Mend:
    """Kill -9 of Redis, which keeps nothing: every message is lost."""
    return _kill(moment.installation.redis)


def kill_postgres(moment: Moment) -> Mend:
    """Kill -9 of the postmaster."""
    return _kill(moment.installation.postgres)


def kill_backend(moment: Moment) -> Mend:
    """Kill -9 of one of Postgres's processes that serve the service; Postgres then ends all of them by itself."""
    address = make_url(moment.installation.settings.database).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(address, autocommit=True) as connection:
        query = (
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() "
            "ORDER BY state <> 'idle' DESC, state_change DESC LIMIT 3"
        )
        pids = [pid for (pid,) in connection.execute(query)]
    with suppress(ProcessLookupError):
        os.kill(moment.rng.choice(pids), signal.SIGKILL)
    return None


def jump_clock(moment: Moment) -> Mend:
    """A clock jumps by up to two hours, and back when it is over: another jump."""
    clock = moment.installation.clocks[moment.rng.choice(sorted(moment.installation.clocks))]
    clock.jump(moment.rng.choice((-1, 1)) * moment.rng.randrange(60, 7200))
    return lambda: clock.jump(0)


def fill_disk(moment: Moment) -> Mend:
    """The disk of the data folder is full but for a few kilobytes."""
    assert moment.installation.disk is not None
    filling = moment.installation.disk / "filling"
    end = time.monotonic() + 0.5
    with filling.open("wb", buffering=0) as file:
        while time.monotonic() < end:
            free = os.statvfs(filling).f_bavail * os.statvfs(filling).f_frsize - moment.rng.randrange(64 * 1024)
            if free <= 0:
                break
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, free)
    return lambda: filling.unlink(missing_ok=True)


def fail_storage(moment: Moment) -> Mend:
    """One in ten calls of the S3 server answers 500, or does not answer at all."""
    proxy = moment.installation.proxy
    assert proxy is not None
    proxy.share = 0.1

    def mend() -> None:
        proxy.share = 0.0

    return mend


def _holder(moment: Moment) -> int:
    known = moment.installation.worker_pids()
    holders = [pid for pid in moment.installation.owners(moment.stage) or moment.installation.owners() if pid in known]
    return moment.rng.choice(holders or known)


def _kill(process: Process | None) -> Mend:
    assert process is not None
    process.kill()
    return process.start


def _resume(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _attack(lasting: Callable[[Moment], AbstractContextManager[None]]) -> Callable[[Moment], Mend]:
    def strike(moment: Moment) -> Mend:
        held = ExitStack()
        held.enter_context(lasting(moment))
        return held.close

    return strike


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
    Fault("body withheld", _attack(withhold_bodies), seconds=(3.0, 6.0), attack=True),
    Fault("poisoned video", _attack(poison), seconds=(3.0, 6.0), attack=True),
    Fault("object flipped", _attack(flip_object), seconds=(1.0, 3.0), attack=True),
    Fault("copy restored elsewhere", _attack(restore_elsewhere), seconds=(0.0, 1.0), attack=True),
)
