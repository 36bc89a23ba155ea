"""Workers that are told of jobs over Redis: real processes, a real Redis, the ledger on Postgres."""

from __future__ import annotations

import base64
import json
import signal
import threading
import time
from contextlib import closing, suppress

import pytest
import redis

from app.database import connect
from app.jobs import ledger
from app.jobs.notifier import TASK, Notifier
from app.settings import Settings
from app.tables import Job, Project
from tests.ledgers import ledger as with_project
from tests.services import free_port, redis_binary, run_redis
from worker.loop import work
from worker.maintenance import Maintenance


@pytest.fixture
def queues(broker_url):
    """The messages of each queue that nobody has taken."""
    with redis.Redis.from_url(broker_url) as client:

        def look(queue):
            return [json.loads(message) for message in client.lrange(queue, 0, -1)]

        look.client = client
        yield look


@pytest.fixture
def database(new_postgres):
    with with_project(new_postgres()) as database:
        yield database


@pytest.fixture
def notifier(broker_url, database):
    notifier = Notifier(broker_url)
    notifier.attach(database)
    yield notifier
    notifier.close()


def enqueue(session, **options):
    return ledger.enqueue(session, session.get_one(Project, 1), "work", {}, max_attempts=3, **options).id


def carried(message):
    """What a message carries."""
    assert message["headers"]["task"] == TASK
    arguments, options, _ = json.loads(base64.b64decode(message["body"]))
    assert options == {}
    return arguments


def test_a_message_carries_a_job_s_id_and_is_sent_after_the_commit(database, notifier, queues):
    with database.session() as session:
        on_gpu, on_cpu = enqueue(session, queue="gpu"), enqueue(session, queue="cpu")
        assert (queues("gpu"), queues("cpu")) == ([], [])
    assert [carried(message) for message in queues("gpu")] == [[on_gpu]]
    assert [carried(message) for message in queues("cpu")] == [[on_cpu]]


def test_nothing_is_sent_for_what_is_rolled_back(database, notifier, queues):
    with suppress(ZeroDivisionError), database.session() as session:
        enqueue(session)
        raise ZeroDivisionError
    with database.session() as session:
        session.get_one(Project, 1).name = "another"
    assert queues("cpu") == []


def test_a_job_that_goes_back_to_the_queue_is_rung_for_again(database, notifier, queues):
    with database.session() as session:
        number = enqueue(session)
    for give_back in (ledger.release, lambda session, held: ledger.release(session, held, "it broke")):
        queues.client.flushdb()
        with database.session() as session:
            held = ledger.claim(session, "a", 60, ["work"])
        with database.session() as session:
            give_back(session, held)
        assert [carried(message) for message in queues("cpu")] == [[number]]
    queues.client.flushdb()
    with database.session() as session:
        ledger.claim(session, "a", -1, ["work"])
    with database.session() as session:
        assert ledger.reap(session) == 1
    assert [carried(message) for message in queues("cpu")] == [[number]]


def test_what_nobody_heard_is_rung_again_by_one_process_of_all(database, notifier, queues, broker_url, tmp_path):
    with database.session() as session:
        numbers = [enqueue(session) for _ in range(3)]
    queues.client.flushdb()
    time.sleep(0.3)
    settings = Settings(data_dir=tmp_path, broker_url=broker_url, ring_seconds=0.2, lease_seconds=0.2)
    threads = [Maintenance(settings, database, notifier) for _ in range(4)]
    for one in threads:
        one.start()
    time.sleep(1.5)
    for one in threads:
        one.stop()
    # The second round finds messages that wait, and adds none.
    assert sorted(carried(message)[0] for message in queues("cpu")) == numbers


def test_without_the_broker_a_job_is_queued_all_the_same(database, caplog):
    notifier = Notifier("redis://127.0.0.1:1/0")
    notifier.attach(database)
    began = time.monotonic()
    with database.session() as session:
        number = enqueue(session)
    with database.session() as session:
        enqueue(session)
    assert time.monotonic() - began < 5
    assert len([record for record in caplog.records if "broker" in record.message]) == 1
    with database.session(readonly=True) as session:
        assert session.get_one(Job, number).state == "queued"
    notifier.close()


def test_a_job_wanders_over_redis_from_worker_to_worker(planted, new_postgres, broker_url, queues, wait):
    plant = planted(database_url=new_postgres(), broker_url=broker_url, ring_seconds=1.0)
    assert [carried(message) for message in queues("gpu-quick")] == [[plant.job]]
    queues.client.flushdb()  # the message is lost

    child = plant.start("--queue", "gpu", "--device", "cpu")
    wait(lambda: len(plant.segments()) > 3)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 0
    given_back, done = plant.state(), plant.segments()
    assert (given_back["state"], given_back["attempt"], given_back["error"]) == ("queued", 1, None)
    assert 3 < len(done) < plant.count

    export = plant.http.post("/projects/1/exports", json={}).json()["id"]
    plant.start("--queue", "gpu")
    ended = plant.ended()
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    assert done.items() <= plant.segments().items()
    assert plant.http.get(f"/jobs/{export}").json()["state"] == "queued"
    plant.start("--queue", "cpu")
    wait(lambda: plant.http.get(f"/jobs/{export}").json()["state"] == "succeeded")


def test_a_worker_works_on_without_the_broker_and_hears_it_again(planted, new_postgres, tmp_path, wait):
    port = free_port()
    with run_redis(redis_binary(), tmp_path, port) as broker_url:
        plant = planted(database_url=new_postgres(), broker_url=broker_url, ring_seconds=1.0)
        plant.start("--queue", "gpu")
        wait(lambda: len(plant.segments()) > 3)
    ended = plant.ended()
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    unheard_of = plant.http.post("/videos/1/propagations", json={"engine": "linear"}).json()["id"]
    wait(lambda: plant.http.get(f"/jobs/{unheard_of}").json()["state"] == "succeeded")

    with run_redis(redis_binary(), tmp_path, port), closing(Notifier(broker_url)) as notifier:
        for _ in range(3):
            wait(lambda: notifier.count_pending("gpu") == 0)
            assert notifier.publish("gpu", plant.job)
        wait(lambda: notifier.count_pending("gpu") == 0)


def test_a_worker_that_polls_does_its_queue_only(plant):
    export = plant.http.post("/projects/1/exports", json={}).json()["id"]
    work(plant.settings.model_copy(update={"queue": "cpu"}), threading.Event(), until_idle=True)
    assert plant.http.get(f"/jobs/{export}").json()["state"] == "succeeded"
    assert plant.state()["state"] == "queued"
    work(plant.settings.model_copy(update={"queue": "gpu"}), threading.Event(), until_idle=True)
    assert plant.state()["state"] == "succeeded"


def test_the_bell_rings_again_as_soon_as_the_broker_is_found_to_be_back(tmp_path):
    port = free_port()
    notifier = Notifier(f"redis://127.0.0.1:{port}/0")
    assert not notifier.publish("cpu", 1)
    with run_redis(redis_binary(), tmp_path, port):
        assert not notifier.publish("cpu", 1)  # requests shall not wait for a broker that was away a moment ago
        assert notifier.count_pending("cpu") == 0
        assert notifier.publish("cpu", 1)
        assert notifier.count_pending("cpu") == 1
        notifier.close()


def test_a_worker_that_starts_before_the_database_waits_for_it(tmp_path, caplog):
    away = connect(f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing")
    maintenance = Maintenance(Settings(data_dir=tmp_path), away, None)
    maintenance.start()
    maintenance.stop()
    assert "the database does not answer" in caplog.text
    away.dispose()
