"""What reads many labels reads them before its turn to write: meanwhile others write."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from app.runs import service as runs

ACTS = [
    ("POST", "/videos/{video_id}/propagations"),
    ("POST", "/videos/{video_id}/estimates"),
    ("POST", "/projects/{project_id}/trainings"),
    ("POST", "/videos/{video_id}/tracks/swap"),
    ("POST", "/videos/{video_id}/tracks/merge"),
    ("POST", "/videos/{video_id}/tracks/split"),
    ("DELETE", "/videos/{video_id}/tracks/{number}"),
]


@contextmanager
def label_reads():
    """Reads of labels: whether the transaction of each only reads."""
    found = []

    def note(connection, cursor, statement, parameters, context, many):
        if statement.lstrip().upper().startswith("SELECT") and "label.keypoints" in statement:
            found.append(bool(connection.get_execution_options().get("readonly")))

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("method", "path"), ACTS)
def test_no_label_is_read_in_a_transaction_that_writes(tenant, method, path):
    send = tenant.aim(method, path)
    with label_reads() as found:
        answer = send(tenant.admin)
    assert answer.is_success, answer.text
    assert found
    assert all(found)


@pytest.fixture
def faster(tenant, monkeypatch):
    """Has somebody write a label each time that a propagation has read the labels, so many times."""
    read = runs.read
    left = [0]

    def reading(*given):
        labelled = read(*given)
        if left[0]:
            left[0] -= 1
            request = tenant.requests["PUT", "/videos/{video_id}/labels"]
            assert tenant.admin.put(f"/videos/{tenant.ids['video_id']}/labels", **request).is_success
        return labelled

    monkeypatch.setattr(runs, "read", reading)
    return left


def test_labels_that_changed_are_read_again(tenant, faster):
    faster[0] = 2
    url = f"/videos/{tenant.ids['video_id']}"
    job = tenant.admin.post(f"{url}/propagations", json={"engine": "linear"})
    assert job.status_code == 202
    assert faster[0] == 0
    run = tenant.admin.get(f"/runs/{job.json()['result']['run_id']}").json()
    assert run["label_revision"] == tenant.admin.get(f"{url}/labels").json()["revision"]


def test_labels_that_go_on_changing_are_waited_for_no_longer(tenant, faster, refused):
    faster[0] = 1000
    url = f"/videos/{tenant.ids['video_id']}"
    before = tenant.admin.get("/jobs", params={"limit": 1}).json()["items"]
    answer = tenant.admin.post(f"{url}/propagations", json={"engine": "linear"}, headers={"Idempotency-Key": "late"})
    refused(answer, 503)
    assert answer.headers["retry-after"]
    assert tenant.admin.get("/jobs", params={"limit": 1}).json()["items"] == before
    faster[0] = 0
    answer = tenant.admin.post(f"{url}/propagations", json={"engine": "linear"}, headers={"Idempotency-Key": "late"})
    assert answer.status_code == 202


def test_what_was_asked_before_is_answered_whatever_became_of_it(tenant):
    """Also where it would be refused by now: the first answer stands."""
    url = f"/videos/{tenant.ids['video_id']}"
    track = tenant.admin.post(f"{url}/tracks", json={"name": "short"}).json()["id"]
    (label,) = tenant.requests["PUT", "/videos/{video_id}/labels"]["json"]["labels"]
    tenant.admin.put(f"{url}/labels", json={"labels": [{**label, "track_id": track}]}).raise_for_status()
    asked = {"json": {"engine": "linear", "tracks": [track]}, "headers": {"Idempotency-Key": "short"}}
    first = tenant.admin.post(f"{url}/propagations", **asked)
    assert first.status_code == 202
    assert tenant.admin.delete(f"{url}/tracks/{track}").is_success
    again = tenant.admin.post(f"{url}/propagations", **asked)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert tenant.admin.post(f"{url}/propagations", json=asked["json"]).status_code == 422
