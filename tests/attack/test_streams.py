"""Event streams: so many of one key, and none of a key that was revoked."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, event

from app.jobs.following import LOOK_SECONDS
from app.jobs.router import MAX_STREAMS_OF_KEY, MAX_STREAMS_OF_LAB
from app.keys.service import Role

pytestmark = pytest.mark.slow

WATCHED = 3.0


@pytest.fixture
def waiting(tenant):
    """The address of the events of a job that nobody does."""
    job = tenant.admin.post(f"/projects/{tenant.ids['project_id']}/exports", json={}).json()
    yield f"/jobs/{job['id']}/events"
    tenant.admin.post(f"/jobs/{job['id']}/cancel").raise_for_status()


def test_more_streams_than_a_key_may_have(tenant, waiting, bystander, refused):
    with tenant.client(Role.READER) as reader, ExitStack() as streams:
        for _ in range(MAX_STREAMS_OF_KEY):
            answer = streams.enter_context(reader.stream("GET", waiting))
            assert answer.status_code == 200
        problem = refused(reader.get(waiting), 429)
        assert str(MAX_STREAMS_OF_KEY) in problem["detail"]
        bystander.write()
        streams.close()
        deadline = time.monotonic() + 10
        while True:
            with reader.stream("GET", waiting) as answer:
                if answer.status_code == 200:
                    break
            assert time.monotonic() < deadline, "places of streams that ended stay taken"
            time.sleep(0.2)


def test_streams_look_at_the_database_together(tenant, waiting):
    asked = []

    def note(connection, cursor, statement, parameters, context, many):
        asked.append(statement)

    with tenant.client(Role.READER) as reader, ExitStack() as streams:
        lines = [streams.enter_context(reader.stream("GET", waiting)).iter_lines() for _ in range(MAX_STREAMS_OF_KEY)]
        for one in lines:
            assert next(one).startswith("event")
        event.listen(Engine, "before_cursor_execute", note)
        time.sleep(WATCHED)
        event.remove(Engine, "before_cursor_execute", note)
        looks = [statement for statement in asked if "job.version" in statement]
        assert 0 < len(looks) <= WATCHED / LOOK_SECONDS + 2
        assert len(asked) < 3 * len(looks) + 10


def test_more_streams_than_a_lab_may_have(tenant, waiting, bystander, refused):
    with ExitStack() as open_:
        readers = [open_.enter_context(tenant.client(Role.READER)) for _ in range(MAX_STREAMS_OF_LAB // 20 + 1)]
        for reader in readers[:-1]:
            for _ in range(MAX_STREAMS_OF_KEY):
                assert open_.enter_context(reader.stream("GET", waiting)).status_code == 200
        problem = refused(readers[-1].get(waiting), 429)
        assert str(MAX_STREAMS_OF_LAB) in problem["detail"]
        bystander.write()
        job = bystander.http.get("/jobs").json()["items"][0]
        assert bystander.http.get(f"/jobs/{job['id']}/events").status_code == 200


def test_a_stream_ends_with_its_key(tenant, waiting):
    with tenant.client(Role.READER) as reader, reader.stream("GET", waiting, timeout=10) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("event")
        number = reader.get("/me").json()["key_id"]
        assert tenant.admin.delete(f"/keys/{number}").status_code == 204
        assert "succeeded" not in "".join(lines)
