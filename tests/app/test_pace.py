"""A key that asks without a pause waits, while other labs ask too; nobody else does."""

from __future__ import annotations

import time

import pytest

from app.keys.service import Role
from app.pace import Pace
from app.settings import Settings
from tests.app.conftest import client_of

HOSTILE, OTHERS = 1, 2


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class Lab:
    """A key that asks again as soon as it was answered, and others beside it."""

    def __init__(self, per_second=50.0):
        self.clock = Clock()
        self.pace = Pace(per_second, self.clock)

    def ask(self, seconds, *, beside, work=0.001, connections=1):
        """How many requests of it are answered in so many seconds, by one connection of several."""
        count, end = 0, self.clock.now + seconds
        while self.clock.now < end:
            if beside:
                assert self.pace.wait(b"annotator %d" % count, OTHERS) == 0
            waits = [self.pace.wait(b"key", HOSTILE) for _ in range(connections)]
            self.clock.now += max(waits) + work
            count += connections
        return count


def test_a_key_that_asks_without_a_pause_is_slowed_down_beside_others():
    lab = Lab()
    lab.ask(20, beside=True)
    assert 480 <= lab.ask(10, beside=True) <= 520


def test_a_lab_alone_is_never_slowed_down():
    lab = Lab()
    assert lab.ask(5, beside=False) >= 4900


def test_what_it_asked_for_while_alone_is_not_held_against_it_later():
    lab = Lab()
    lab.ask(60, beside=False)
    lab.pace.wait(b"annotator", OTHERS)
    assert lab.pace.wait(b"key", HOSTILE) <= 1 / 50


def test_a_burst_of_four_seconds_worth_passes_at_once():
    lab = Lab()
    lab.pace.wait(b"annotator", OTHERS)
    waits = [lab.pace.wait(b"key", HOSTILE) for _ in range(400)]
    assert not any(waits[:200])
    assert all(waits[202:])


def test_nobody_waits_longer_than_two_seconds():
    lab = Lab()
    lab.pace.wait(b"annotator", OTHERS)
    assert max(lab.pace.wait(b"key", HOSTILE) for _ in range(5000)) == pytest.approx(2, abs=0.021)


def test_others_are_there_for_two_seconds():
    lab = Lab()
    lab.pace.wait(b"annotator", OTHERS)
    for _ in range(300):
        lab.pace.wait(b"key", HOSTILE)
    assert lab.pace.wait(b"key", HOSTILE) > 1
    lab.clock.now += 2.1
    assert lab.pace.wait(b"key", HOSTILE) == 0


def test_a_key_of_a_lab_does_not_slow_down_another_one_of_it():
    lab = Lab()
    lab.ask(20, beside=True)
    assert lab.pace.wait(b"another key", HOSTILE) == 0


def test_zero_lets_everything_through():
    lab = Lab(0)
    assert lab.ask(5, beside=True) >= 4900


def test_a_service_has_a_key_wait_while_another_lab_asks(tmp_path_factory, serving):
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("paced"), port=0, paced_requests_per_second=1))
    lab = service.http.post("/labs", json={"name": "other"}).json()
    waited = []
    with client_of(service, Role.READER, lab["id"]) as other:
        for _ in range(8):
            assert other.get("/projects").status_code == 200
            began = time.monotonic()
            assert service.http.get("/projects").status_code == 200
            waited.append(time.monotonic() - began)
    assert max(waited) > 0.5
