"""The simulated fleet keeps the rules of the ledger: nothing is lost, and waiting is what queueing theory says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.fleet_simulation import Fleet, Kind, Seen, simulate

SHORT = Kind("short", per_second=0.05, segments=1, segment_seconds=10, setup_seconds=0)
LONG = Kind("long", per_second=0.01, segments=40, segment_seconds=10, setup_seconds=1)


def run(fleet: Fleet, hours: float = 20, seconds: float = 0.001, others: float = 0.0) -> Seen:
    return simulate({"gpu": fleet}, hours, lanes=2, transaction_seconds=seconds, others=others)["gpu"]


@pytest.fixture
def fleet() -> Fleet:
    return Fleet(2, (SHORT,), message_seconds=0.01, lease_seconds=60, hours_to_failure=1e9, restart_seconds=60)


def test_idle_workers_begin_at_once(fleet: Fleet) -> None:
    seen = run(replace(fleet, workers=50))
    assert np.percentile(seen.waits["short"], 99) < 0.05
    assert seen.deaths == 0
    assert len(seen.spans["short"]) == pytest.approx(20 * 3600 * SHORT.per_second, rel=0.1)


def test_waiting_is_that_of_a_queue_with_uniform_service(fleet: Fleet) -> None:
    # M/G/1 with rho = 0.5 and service uniform in 5 to 15 s: Pollaczek and Khinchine's mean wait.
    seen = run(replace(fleet, workers=1, message_seconds=0.0), hours=400)
    second_moment = (15**3 - 5**3) / (3 * 10)
    expected = SHORT.per_second * second_moment / (2 * (1 - 0.5))
    assert np.mean(seen.waits["short"]) == pytest.approx(expected, rel=0.1)
    assert seen.busy == pytest.approx(0.5 * 400 * 3600, rel=0.05)


def test_helpers_shorten_long_jobs(fleet: Fleet) -> None:
    alone = run(replace(fleet, kinds=(replace(LONG, per_second=1e-4),), workers=1), hours=60)
    helped = run(replace(fleet, kinds=(replace(LONG, per_second=1e-4),), workers=10), hours=60)
    assert np.median(helped.spans["long"]) < np.median(alone.spans["long"]) / 4
    assert helped.helped > 0
    assert alone.helped == 0


def test_workers_that_die_lose_no_job(fleet: Fleet) -> None:
    mortal = replace(fleet, kinds=(replace(LONG, per_second=0.001),), workers=8, hours_to_failure=0.5)
    seen = run(mortal, hours=60)
    assert seen.deaths > 100
    assert len(seen.spans["long"]) == pytest.approx(len(seen.waits["long"]), abs=8)


def test_a_busy_database_delays_claims(fleet: Fleet) -> None:
    quiet, busy = run(fleet, seconds=0.01), run(fleet, seconds=0.01, others=0.9)
    assert np.median(quiet.database_waits) == pytest.approx(0.01)
    assert np.median(busy.database_waits) == pytest.approx(0.1)
