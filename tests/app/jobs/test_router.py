"""Following jobs as they change, and cancelling them."""

from __future__ import annotations

import json
import re
import threading
from contextlib import ExitStack

import httpx2
import pytest

from app.database import connect
from app.jobs import ledger
from app.jobs.router import MAX_STREAMS_OF_KEY
from app.keys.service import Role
from app.settings import Settings
from app.tables import Job, Project


@pytest.fixture
def running(house):
    """A job that is held by us, and the database it is in."""
    job = house.http.post(f"/projects/{house.project['id']}/exports", json={}).json()
    database = connect(house.service.settings.database)
    with database.session() as session:
        held = ledger.claim(session, "the test", 600, ["export"])
    assert held.job_id == job["id"]
    yield held, database
    try:
        with database.session() as session:
            ledger.fail(session, held, "the test is over")
    except ledger.Fenced:
        pass
    database.dispose()


def progress(running, share):
    held, database = running
    with database.session() as session:
        ledger.fence(session, held, progress=share)


def events(answer):
    """The events of a stream as they come: id and data."""
    number = None
    for line in answer.iter_lines():
        if line.startswith("id:"):
            number = int(line[3:])
        elif line.startswith("data:"):
            data = json.loads(line[5:])
        elif not line and number is not None:
            yield number, data
            number = None


def test_a_stream_follows_a_job_to_its_end(house, running):
    held, database = running
    with house.http.stream("GET", f"/jobs/{held.job_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = events(answer)
        assert next(stream)[1]["state"] == "running"
        progress(running, 0.25)
        assert next(stream)[1]["progress"] == 0.25
        with database.session() as session:
            ledger.succeed(session, held, {"export_id": 1})
        number, last = next(stream)
        assert (last["state"], last["progress"], last["result"]) == ("succeeded", 1.0, {"export_id": 1})
        assert list(stream) == []
    assert house.http.get(f"/jobs/{held.job_id}").headers["etag"] == f'"{number}"'


def test_a_stream_resumes_after_the_last_event_seen(house, running):
    held, database = running
    url = f"/jobs/{held.job_id}/events"
    with house.http.stream("GET", url) as answer:
        seen, _ = next(events(answer))
    with database.session() as session:
        ledger.succeed(session, held, {"export_id": 1})
    with house.http.stream("GET", url, headers={"Last-Event-ID": str(seen)}) as answer:
        ((last, data),) = events(answer)
    assert last > seen
    assert data["state"] == "succeeded"
    with house.http.stream("GET", url, headers={"Last-Event-ID": str(last)}) as answer:
        assert list(events(answer)) == []


@pytest.mark.parametrize("number", ["x", "-5", "1.5", "\N{SUPERSCRIPT TWO}"])
def test_a_last_event_that_is_no_number_starts_from_the_present(house, running, number):
    held, _ = running
    headers = {"Last-Event-ID": number.encode()}
    with house.http.stream("GET", f"/jobs/{held.job_id}/events", headers=headers) as answer:
        assert next(events(answer))[1]["id"] == held.job_id


def test_open_streams_hold_nothing_that_others_need(house, running):
    held, _ = running
    limits = httpx2.Limits(max_connections=100)
    headers = house.http.headers
    with (
        httpx2.Client(base_url=house.http.base_url, headers=headers, timeout=20, limits=limits) as client,
        ExitStack() as open_streams,
    ):
        url = f"/jobs/{held.job_id}/events"
        readers = [open_streams.enter_context(house.client(Role.READER)) for _ in range(3)]
        asked = [reader.stream("GET", url) for reader in readers for _ in range(MAX_STREAMS_OF_KEY)]
        streams = [events(open_streams.enter_context(one)) for one in asked]
        assert {next(stream)[1]["state"] for stream in streams} == {"running"}
        for number in range(5):
            assert client.post(f"{house.url}/tracks", json={"name": f"n{number}"}).status_code == 201
            assert client.get(f"{house.url}/frames/{number}").status_code == 200
        progress(running, 0.5)
        assert {next(stream)[1]["progress"] for stream in streams} == {0.5}


def test_a_stream_of_a_job_that_is_not_there(house, refused):
    refused(house.http.get("/jobs/9999/events"), 404)


def test_a_running_job_is_cancelled_by_its_worker(house, running):
    held, database = running
    asked = house.http.post(f"/jobs/{held.job_id}/cancel").json()
    assert (asked["state"], asked["stage"]) == ("running", "cancelling")
    with database.session() as session:
        assert ledger.heartbeat(session, held, 60)
        ledger.cancelled(session, held)
    assert house.http.post(f"/jobs/{held.job_id}/cancel").json()["state"] == "cancelled"


def test_a_waiting_job_is_cancelled_at_once(house):
    job = house.http.post(f"{house.url}/propagations", json={}).json()
    assert house.http.post(f"/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    house.service.work()
    assert house.http.get(f"/jobs/{job['id']}").json()["state"] == "cancelled"


def test_a_server_that_stops_ends_its_streams(serving, walker, tmp_path):
    service = serving(Settings(data_dir=tmp_path / "data", port=0))
    service.project(walker.skeleton)
    video = service.http.post("/projects/1/videos", content=walker.path.read_bytes()).json()
    with service.http.stream("GET", f"/jobs/{video['ingest_job_id']}/events") as answer:
        thread = threading.Thread(target=service.work)
        thread.start()
        states = [data["state"] for _, data in events(answer)]
        thread.join()
    assert states[0] == "queued"
    assert states[-1] == "succeeded"


def test_the_log_tells_what_a_job_did(house):
    job = house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json()
    house.service.work()
    first = house.http.get(f"/jobs/{job['id']}/log", params={"limit": 2}).json()
    rest = house.http.get(f"/jobs/{job['id']}/log", params={"cursor": first["next_cursor"]}).json()
    log = first["items"] + rest["items"]
    assert rest["next_cursor"] is None
    assert [line["number"] for line in log] == list(range(1, len(log) + 1))
    assert [line["what"] for line in log[:2]] == ["queued", "begun"]
    assert [line["what"] for line in log[-2:]] == ["stage", "succeeded"]
    stages = [line["text"] for line in log if line["what"] == "stage"]
    assert stages[-1] == "propagating"
    assert len(stages) == len(set(stages))
    assert {line["attempt"] for line in log[1:]} == {1}
    (worker,) = {line["worker"] for line in log[1:]}
    assert re.fullmatch("[0-9a-f]{8}", worker)
    times = [line["at"] for line in log]
    assert times == sorted(times)


def test_an_ingest_goes_from_opening_to_storing_and_not_back(house):
    log = house.http.get(f"/jobs/{house.video['ingest_job_id']}/log").json()["items"]
    stages = [line["text"] for line in log if line["what"] == "stage"]
    # A short video may have been read before anybody looked.
    assert [stage for stage in stages if stage != "reading frames"] == ["opening", "storing"]
    assert stages.count("reading frames") <= 1


def test_the_log_of_a_job_that_is_called_off(house):
    job = house.http.post(f"{house.url}/propagations", json={}).json()
    for _ in range(2):
        house.http.post(f"/jobs/{job['id']}/cancel")
    log = house.http.get(f"/jobs/{job['id']}/log").json()["items"]
    assert [line["what"] for line in log] == ["queued", "cancelled"]


def test_the_log_of_a_job_that_is_not_there(house, refused):
    refused(house.http.get("/jobs/9999/log"), 404)


def test_jobs_of_a_kind(house):
    house.http.post(f"{house.url}/propagations", json={"engine": "linear"})
    house.service.work()
    listed = house.http.get("/jobs", params={"kind": "ingest", "limit": 200}).json()["items"]
    assert house.video["ingest_job_id"] in [job["id"] for job in listed]
    assert {job["kind"] for job in listed} == {"ingest"}
    assert house.http.get("/jobs", params={"kind": "ingest", "state": "queued"}).json()["items"] == []
    assert house.http.get("/jobs", params={"kind": "nothing"}).json()["items"] == []


def test_a_job_that_cannot_be_shown_is_followed_no_more_and_others_are(house, running):
    held, database = running
    broken = house.http.post(f"/projects/{house.project['id']}/exports", json={}).json()
    with house.http.stream("GET", f"/jobs/{broken['id']}/events") as answer:
        stream = events(answer)
        assert next(stream)[1]["state"] == "queued"
        with database.session() as session:
            job = session.get_one(Job, broken["id"])
            job.result, job.version = [], job.version + 1
        assert list(stream) == []
    with house.http.stream("GET", f"/jobs/{broken['id']}/events") as first:
        with house.http.stream("GET", f"/jobs/{held.job_id}/events") as answer:
            assert next(events(answer))[1]["state"] == "running"
        assert list(events(first)) == []
    with database.session() as session:
        session.get_one(Job, broken["id"]).result = None
    assert house.http.post(f"/jobs/{broken['id']}/cancel").is_success


def test_a_job_that_is_held_back_is_listed_as_one_that_waits(house, running):
    _, database = running
    with database.session() as session:
        project = session.get_one(Project, house.project["id"])
        number = ledger.enqueue(session, project, "export", {"after": 0}, max_attempts=1, queue=ledger.HELD).id
    listed = house.http.get("/jobs", params={"state": "queued"}).json()["items"]
    assert number in [job["id"] for job in listed]
    assert house.http.post(f"/jobs/{number}/cancel").json()["state"] == "cancelled"
    assert number not in [job["id"] for job in house.http.get("/jobs", params={"state": "queued"}).json()["items"]]
