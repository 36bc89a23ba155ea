"""A fleet of workers as a discrete-event simulation: what ``benchmarks.scaling`` runs at three scales.

The rules are those of the service. A worker that is free takes the job whose turn it is, else a segment of a job that
another worker holds, else it waits for a message. A worker that dies loses one segment; its job goes back to the queue
when the lease has run out and somebody reaps, and goes on after the last finished segment. What a worker took as a
helper goes back in the same way. Every claim and every finished segment is a transaction of a database that can do only
so many at a time and has others to do: labels, heartbeats, questions.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy


@dataclass(frozen=True)
class Kind:
    """A kind of job.

    Attributes:
        name: What it is.
        per_second: Arrivals.
        segments: Into how many pieces it is cut, on average; 1 is not shared.
        segment_seconds: What one takes.
        setup_seconds: What a worker does before its first segment.
    """

    name: str
    per_second: float
    segments: float
    segment_seconds: float
    setup_seconds: float


@dataclass(frozen=True)
class Fleet:
    """The workers of one queue, and what can go wrong.

    Attributes:
        workers: How many.
        kinds: Their jobs.
        message_seconds: From a commit to the worker that hears of it.
        lease_seconds: How long a job stays with a worker that is gone.
        hours_to_failure: Mean time between two deaths of a worker.
        restart_seconds: From a death to the next worker.
    """

    workers: int
    kinds: tuple[Kind, ...]
    message_seconds: float
    lease_seconds: float
    hours_to_failure: float
    restart_seconds: float


@dataclass
class Seen:
    """What was seen.

    Attributes:
        waits: Seconds from queueing to the first claim of each job, by kind.
        spans: Seconds from queueing to the end, by kind.
        busy: Worker seconds spent on segments.
        transactions: Claims and finished segments.
        messages: Messages to the broker.
        helped: Segments that helpers computed.
        deaths: Of workers.
        database_waits: Seconds that each transaction took, with its turn.
    """

    waits: dict[str, list[float]] = field(default_factory=dict)
    spans: dict[str, list[float]] = field(default_factory=dict)
    busy: float = 0.0
    transactions: int = 0
    messages: int = 0
    helped: int = 0
    deaths: int = 0
    database_waits: list[float] = field(default_factory=list)


@dataclass(eq=False)
class _Job:
    kind: Kind
    queued_at: float
    free: int  # segments that nobody computes
    open: int  # segments that are not done
    claimed: bool = False


class Database:
    """So many transactions at a time; what others do there makes each take longer.

    Args:
        environment: The simulation.
        lanes: Transactions at a time.
        seconds: What one takes by itself.
        others: Share of the lanes that everything else takes.
    """

    def __init__(self, environment: simpy.Environment, lanes: int, seconds: float, others: float) -> None:
        self._environment = environment
        self._lanes = simpy.Resource(environment, capacity=lanes)
        self._seconds = seconds / max(1 - others, 0.01)

    def transaction(self, seen: Seen) -> Generator[Any, Any, None]:
        """Wait for a turn and take it."""
        start = self._environment.now
        with self._lanes.request() as turn:
            yield turn
            yield self._environment.timeout(self._seconds)
        seen.transactions += 1
        seen.database_waits.append(self._environment.now - start)


class _Queue:
    def __init__(self, environment: simpy.Environment, fleet: Fleet, database: Database, seed: int) -> None:
        self.environment, self.fleet, self.database = environment, fleet, database
        self.rng = random.Random(seed)
        self.seen = Seen()
        self.waiting: deque[_Job] = deque()
        self.shared: deque[_Job] = deque()
        self.idle: deque[simpy.Event] = deque()
        for kind in fleet.kinds:
            environment.process(self.arrivals(kind))
        for _ in range(fleet.workers):
            environment.process(self.worker())

    def arrivals(self, kind: Kind) -> Generator[Any, Any, None]:
        while True:
            yield self.environment.timeout(self.rng.expovariate(kind.per_second))
            segments = 1 if kind.segments == 1 else max(1, round(self.rng.gauss(kind.segments, kind.segments / 3)))
            self.put(_Job(kind, self.environment.now, segments, segments))

    def put(self, job: _Job) -> None:
        self.waiting.append(job)
        self.ring()

    def ring(self) -> None:
        self.seen.messages += 1
        if self.idle:
            self.idle.popleft().succeed()

    def worker(self) -> Generator[Any, Any, None]:
        alive_until = self._death()
        while True:
            if self.waiting:
                job = self.waiting.popleft()
                helping = False
            else:
                while self.shared and not self.shared[0].free:
                    self.shared.popleft()
                if not self.shared:
                    told = self.environment.event()
                    self.idle.append(told)
                    yield told
                    yield self.environment.timeout(self.fleet.message_seconds)
                    continue
                job = self.shared[0]
                helping = True
            died = yield from self.work(job, alive_until, helping=helping)
            if died or self.environment.now >= alive_until:
                self.seen.deaths += 1
                yield self.environment.timeout(self.fleet.restart_seconds)
                alive_until = self._death()

    def work(self, job: _Job, alive_until: float, *, helping: bool) -> Generator[Any, Any, bool]:
        """Segments of a job until none is free; tells whether the worker died over one."""
        now = self.environment
        if not helping:
            yield from self.database.transaction(self.seen)
            if not job.claimed:
                job.claimed = True
                self.seen.waits.setdefault(job.kind.name, []).append(now.now - job.queued_at)
            if job.free > 1:
                self.shared.append(job)
                self.ring()
        yield now.timeout(job.kind.setup_seconds)
        while job.free and not (helping and self.waiting):
            job.free -= 1
            if helping:
                self.seen.helped += 1
                if job.free:
                    self.ring()
            seconds = job.kind.segment_seconds * self.rng.uniform(0.5, 1.5)
            if now.now + seconds > alive_until:
                yield now.timeout(max(0.0, alive_until - now.now))
                now.process(self.give_back(job, held=not helping))
                return True
            yield now.timeout(seconds)
            self.seen.busy += seconds
            yield from self.database.transaction(self.seen)
            job.open -= 1
            if not job.open:
                self.seen.spans.setdefault(job.kind.name, []).append(now.now - job.queued_at)
        return False

    def give_back(self, job: _Job, *, held: bool) -> Generator[Any, Any, None]:
        lease = self.fleet.lease_seconds
        # A job waits for the one who reaps every half lease; a segment is free as soon as its lease is over.
        yield self.environment.timeout(lease + (self.rng.uniform(0, lease / 2) if held else 0))
        job.free += 1
        if held:
            self.put(job)
        else:
            self.shared.append(job)
            self.ring()

    def _death(self) -> float:
        return float(self.environment.now + self.rng.expovariate(1 / (3600 * self.fleet.hours_to_failure)))


def simulate(
    fleets: dict[str, Fleet], hours: float, *, lanes: int, transaction_seconds: float, others: float, seed: int = 1
) -> dict[str, Seen]:
    """Let fleets work for some hours on one database.

    Args:
        fleets: By the name of their queue.
        hours: For how long.
        lanes: Transactions that the database does at a time.
        transaction_seconds: What one takes.
        others: Share of the database that everything else takes.
        seed: Of the random numbers.
    """
    environment = simpy.Environment()
    database = Database(environment, lanes, transaction_seconds, others)
    queues = {
        name: _Queue(environment, fleet, database, seed + number) for number, (name, fleet) in enumerate(fleets.items())
    }
    environment.run(until=3600 * hours)
    return {name: queue.seen for name, queue in queues.items()}
