"""Event streams: so many of one key, and none of a key that was revoked."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from app.jobs.router import MAX_STREAMS_OF_KEY
from app.keys.service import Role

pytestmark = pytest.mark.slow


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


def test_a_stream_ends_with_its_key(tenant, waiting):
    with tenant.client(Role.READER) as reader, reader.stream("GET", waiting, timeout=10) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("event")
        number = reader.get("/me").json()["key_id"]
        assert tenant.admin.delete(f"/keys/{number}").status_code == 204
        assert "succeeded" not in "".join(lines)
