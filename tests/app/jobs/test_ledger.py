"""The ledger gives each job to one worker at a time, and only to that one."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import event, select

from app.jobs import ledger
from app.jobs.ledger import Fenced
from app.settings import QUEUES
from app.tables import Job, Lab, Project


@pytest.fixture
def add(database):
    def add(count=1, project=1, **options):
        with database.session() as session:
            project = session.get_one(Project, project)
            options = {"max_attempts": 3, **options}
            return [ledger.enqueue(session, project, "work", {}, **options).id for _ in range(count)]

    return add


@pytest.fixture
def claim(database):
    def claim(owner="a", lease=60.0):
        with database.session() as session:
            return ledger.claim(session, owner, lease, ["work"])

    return claim


@pytest.fixture
def state(database):
    def state(number):
        with database.session(readonly=True) as session:
            return session.get_one(Job, number)

    return state


def do(database, what, *arguments, **options):
    with database.session() as session:
        return what(session, *arguments, **options)


def test_each_job_is_claimed_once(database, add, claim):
    numbers = add(300)
    claims = []
    together = threading.Barrier(4)

    def take(owner):
        together.wait()
        while (held := claim(owner)) is not None:
            claims.append(held)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, "abcd"))
    assert Counter(held.job_id for held in claims) == Counter(numbers)
    assert {held.attempt for held in claims} == {1}
    with database.session(readonly=True) as session:
        owners = dict(session.execute(select(Job.id, Job.owner)).all())
    assert owners == {held.job_id: held.owner for held in claims}


def test_the_most_urgent_comes_first_then_the_oldest(add, claim):
    (low,) = add(priority=-1)
    first, second = add(2)
    (urgent,) = add(priority=5)
    assert [claim().job_id for _ in range(4)] == [urgent, first, second, low]
    assert claim() is None


def test_a_lab_with_a_thousand_jobs_does_not_keep_another_one_waiting(database, add, claim):
    add(1000)
    assert claim().job_id
    with database.session() as session:
        session.add(Lab(id=2, name="late"))
        session.flush()
        session.add(Project(id=2, lab_id=2, name="late"))
    late = add(5, project=2)
    order = [claim().job_id for _ in range(12)]
    assert [order.index(number) for number in late] == [1, 3, 5, 7, 9]


def test_labs_get_equal_shares_of_the_work_not_of_the_jobs(database, add, claim):
    with database.session() as session:
        session.add(Lab(id=2, name="other"))
        session.flush()
        session.add(Project(id=2, lab_id=2, name="other"))
    large = add(3, work=10.0)
    small = add(25, project=2, work=1.0)
    order = [claim().job_id for _ in range(24)]
    assert [order.index(number) for number in large] == [0, 11, 22]
    assert [number for number in order if number in small] == small[:21]


def test_each_queue_has_its_own_workers(database, add):
    (on_gpu,) = add(queue="gpu")
    (on_cpu,) = add(queue="cpu")
    with database.session() as session:
        assert ledger.claim(session, "a", 60, ["work"], ["gpu"]).job_id == on_gpu
        assert ledger.claim(session, "a", 60, ["work"], ["gpu"]) is None
        assert ledger.claim(session, "a", 60, ["work"], ["gpu", "cpu"]).job_id == on_cpu


def test_a_worker_of_several_queues_does_what_is_most_urgent_in_any_then_what_is_in_the_first(database, add):
    (low,) = add(queue="cpu", priority=-1)
    (cpu,) = add(queue="cpu")
    (gpu,) = add(queue="gpu", work=5.0)
    (urgent,) = add(queue="gpu", priority=7)
    (quick,) = add(queue="cpu-quick")
    with database.session() as session:
        queues = ("cpu-quick", "cpu", "gpu")
        claims = [ledger.claim(session, "a", 60, ["work"], queues) for _ in range(6)]
    assert [held and (held.job_id, held.queue) for held in claims] == [
        (urgent, "gpu"),
        (quick, "cpu-quick"),
        (cpu, "cpu"),
        (gpu, "gpu"),
        (low, "cpu"),
        None,
    ]


def test_a_job_that_is_passed_on_waits_in_the_other_queue_and_loses_no_attempt(database, add, state):
    (before,) = add(queue="gpu", work=5.0)
    (number,) = add(queue="gpu-quick", max_attempts=1)
    with database.session() as session:
        held = ledger.claim(session, "quick", 60, ["work"], ["gpu-quick"])
        ledger.pass_on(session, held, "gpu")
    passed = state(number)
    assert (passed.state, passed.queue, passed.owner, passed.error) == ("queued", "gpu", None, None)
    assert passed.turn > state(before).turn
    with database.session() as session:
        assert ledger.claim(session, "quick", 60, ["work"], ["gpu-quick"]) is None
        assert ledger.claim(session, "a", 60, ["work"], ["gpu"]).job_id == before
        again = ledger.claim(session, "b", -1, ["work"], ["gpu"])
        assert (again.job_id, again.attempt) == (number, 2)
        ledger.reap(session)
        with pytest.raises(Fenced):
            ledger.pass_on(session, held, "gpu")
    assert state(number).state == "failed"


@pytest.mark.parametrize("queues", [("gpu",), ("gpu", "cpu"), QUEUES])
def test_claiming_sorts_nothing_however_much_waits(database, add, queues):
    for queue in queues:
        add(300, queue=queue)
    heard = []
    event.listen(database.engine, "before_cursor_execute", lambda *said: heard.append((said[2], said[3])))
    with database.session() as session:
        postgres = session.get_bind().dialect.name == "postgresql"
        session.connection().exec_driver_sql("ANALYZE job")
        del heard[:]
        ledger.claim(session, "a", 60.0, ["work"], queues)
        asked = list(heard)
        assert asked
        for statement, parameters in asked:
            explain = "EXPLAIN " if postgres else "EXPLAIN QUERY PLAN "
            plan = session.connection().exec_driver_sql(explain + statement, parameters).all()
            lines = [str(row[-1]) for row in plan]
            assert not [line for line in lines if "Sort" in line or "TEMP B-TREE" in line], lines


def test_only_kinds_that_the_worker_knows_are_claimed(database, add):
    add()
    with database.session() as session:
        assert ledger.claim(session, "a", 60, ["other"]) is None


def test_an_expired_lease_goes_back_to_the_queue_until_the_last_attempt(database, add, claim, state):
    (number,) = add(max_attempts=2)
    assert claim(lease=60).attempt == 1
    assert do(database, ledger.reap) == 0
    with database.session() as session:
        session.get_one(Job, number).lease_until = time.time() - 1
    assert do(database, ledger.reap) == 1
    assert (state(number).state, state(number).owner) == ("queued", None)
    assert claim(lease=-1).attempt == 2
    assert do(database, ledger.reap) == 1
    ended = state(number)
    assert (ended.state, ended.attempt) == ("failed", 2)
    assert "stopped answering" in ended.error
    assert ended.finished_at is not None
    assert claim() is None


def test_a_worker_that_lost_its_lease_writes_nothing(database, add, claim, state):
    (number,) = add()
    zombie = claim("zombie", lease=-1)
    do(database, ledger.reap)
    heir = claim("heir")
    assert heir.attempt == 2
    before = (state(number).version, state(number).progress)

    def scribble(session):
        session.get_one(Project, 1).name = "written by a zombie"
        ledger.fence(session, zombie, progress=0.9)

    for write in (
        lambda: do(database, scribble),
        lambda: do(database, ledger.heartbeat, zombie, 60),
        lambda: do(database, ledger.succeed, zombie, {}),
        lambda: do(database, ledger.fail, zombie, "no"),
        lambda: do(database, ledger.cancelled, zombie),
        lambda: do(database, ledger.release, zombie),
        lambda: do(database, ledger.release, zombie, "no"),
    ):
        with pytest.raises(Fenced):
            write()
    assert (state(number).version, state(number).progress) == before
    with database.session(readonly=True) as session:
        assert session.get_one(Project, 1).name == "project"
    do(database, ledger.succeed, heir, {"done": True})
    assert (state(number).state, state(number).result) == ("succeeded", {"done": True})


def test_the_same_worker_s_earlier_attempt_is_fenced_out_too(database, add, claim):
    add()
    earlier = claim("a", lease=-1)
    do(database, ledger.reap)
    claim("a")
    with pytest.raises(Fenced):
        do(database, ledger.fence, earlier)


def test_a_heartbeat_keeps_a_job(database, add, claim, state):
    (number,) = add()
    held = claim(lease=0.05)
    assert do(database, ledger.heartbeat, held, 60) is False
    assert do(database, ledger.reap) == 0
    assert state(number).state == "running"


def test_a_waiting_job_is_cancelled_at_once(database, add, claim, state):
    (number,) = add()
    do(database, lambda session: ledger.request_cancel(session, session.get_one(Job, number)))
    assert (state(number).state, state(number).finished_at is None) == ("cancelled", False)
    assert claim() is None


def test_a_running_job_hears_that_it_is_cancelled(database, add, claim, state):
    (number,) = add()
    held = claim()
    do(database, lambda session: ledger.request_cancel(session, session.get_one(Job, number)))
    assert (state(number).state, state(number).stage) == ("running", "cancelling")
    assert do(database, ledger.heartbeat, held, 60) is True
    do(database, ledger.cancelled, held)
    assert state(number).state == "cancelled"


def test_a_cancelled_job_whose_worker_died_is_not_tried_again(database, add, claim, state):
    (number,) = add()
    claim(lease=-1)
    do(database, lambda session: ledger.request_cancel(session, session.get_one(Job, number)))
    do(database, ledger.reap)
    assert state(number).state == "cancelled"


def test_a_job_that_has_ended_cannot_be_cancelled(database, add, claim, state):
    (number,) = add()
    do(database, ledger.succeed, claim(), {})
    version = state(number).version
    do(database, lambda session: ledger.request_cancel(session, session.get_one(Job, number)))
    assert (state(number).state, state(number).version) == ("succeeded", version)


def test_a_job_given_back_at_shutdown_loses_no_attempt(database, add, claim, state):
    (number,) = add(max_attempts=1)
    for attempt in (1, 2, 3):
        held = claim()
        assert held.attempt == attempt
        do(database, ledger.release, held)
        assert state(number).state == "queued"
    do(database, ledger.release, claim(), "it broke")
    assert (state(number).state, state(number).error) == ("failed", "it broke")


def test_a_job_that_breaks_is_tried_again_with_its_error_shown(database, add, claim, state):
    (number,) = add(max_attempts=2)
    do(database, ledger.release, claim(), "it broke")
    assert (state(number).state, state(number).error) == ("queued", "it broke")
    do(database, ledger.release, claim(), "it broke again")
    assert (state(number).state, state(number).error) == ("failed", "it broke again")


def test_a_job_that_broke_pauses_before_it_is_tried_again(database, add, claim, state):
    (number,) = add(max_attempts=2)
    do(database, ledger.release, claim(), "no room", pause=30)
    assert state(number).state == "queued"
    assert claim() is None
    assert not do(database, ledger.waits, ["work"], ["gpu", "cpu"])
    (other,) = add()
    assert claim().job_id == other
    with database.session() as session:
        session.get_one(Job, number).lease_until = time.time() - 1
    assert do(database, ledger.waits, ["work"], ["gpu", "cpu"])
    do(database, ledger.release, claim(), "still no room", pause=30)
    assert (state(number).state, state(number).lease_until) == ("failed", None)


def test_a_job_that_was_queued_before_the_clock_was_set_back_is_overdue(database, add):
    early, late, _ = add(3)
    with database.session() as session:
        session.get_one(Job, early).created_at -= timedelta(seconds=60)
        session.get_one(Job, late).created_at += timedelta(seconds=3600)
    assert do(database, ledger.overdue, 30) == {**{queue: [] for queue in QUEUES}, "cpu": [early, late]}


@pytest.mark.parametrize(("params", "is_told"), [({}, True), ({"after": 1, "then": "cpu"}, False)])
def test_how_long_a_job_stood_in_the_queue_is_not_told_of_one_that_was_held_back(database, claim, params, is_told):
    with database.session() as session:
        project = session.get_one(Project, 1)
        ledger.enqueue(session, project, "work", params, max_attempts=3)
    assert (claim().waited is not None) is is_told
