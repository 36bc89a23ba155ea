"""A data folder that an earlier version left, with work half done: it opens, goes on and gives the same bytes."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
from sqlalchemy import select

from app.database import connect
from app.jobs.states import SUCCEEDED
from app.settings import Settings
from app.tables import Job
from app.version import VERSION
from tests.conftest import serve
from tests.recorded import record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The service in that folder, and what is expected of it."""
    folder = tmp_path_factory.mktemp("recorded")
    expected = record.opened(folder)
    for service in serve(Settings(data_dir=folder / "data", port=0)):
        yield service, expected


@pytest.fixture(scope="module")
def before(opened):
    """What the folder says before any work is done."""
    service, _ = opened
    return {**record.stored(service), "rebuilt": record.rebuilt(service)}, record.segments(service)


@pytest.fixture(scope="module")
def after(opened, before):
    """The service, when all that waited or was half done is done."""
    service, _ = opened
    service.work()
    return service


def test_what_is_stored_is_read_byte_for_byte(opened, before):
    _, expected = opened
    read, segments = before
    assert {name: read[name] == expected[name] for name in expected if name in read} == dict.fromkeys(
        ("human.json", "earlier.json", "pseudo.json", "merged.json", "run.zip", "export.json"), True
    )
    assert segments == json.loads(expected["segments.json"])


def test_an_export_of_the_same_snapshot_has_the_same_bytes(opened, before):
    assert before[0]["rebuilt"] == _of_this_version(opened[1]["export.json"])


def test_all_work_that_waited_is_done(after):
    jobs = _rows(after, select(Job))
    assert {job.kind for job in jobs} == {"ingest", "propagate", "measure", "pack", "export", "train", "estimate"}
    assert [(job.id, job.kind, job.error) for job in jobs if job.state != SUCCEEDED] == []


def test_what_jobs_make_of_what_was_there_has_the_same_bytes(opened, after):
    _, expected = opened
    made = record.waited_for(after)
    assert made["second.json"] == _of_this_version(expected["second.json"])
    assert made["estimated.zip"] == expected["estimated.zip"]


def test_a_propagation_goes_on_where_it_was_left(opened, after):
    _, expected = opened
    begun, ended = json.loads(expected["segments.json"]), record.segments(after)
    assert {start: known for start, (known, _) in ended.items()} == {
        start: known for start, (known, _) in begun.items()
    }
    done = {start: sha256 for start, (_, sha256) in begun.items() if sha256 is not None}
    assert 0 < len(done) < len(begun)
    assert {start: ended[start][1] for start in done} == done
    # Processors round differently; what was computed where it was recorded is the same to the last bit.
    np.testing.assert_allclose(record.poses(after), np.load(io.BytesIO(expected["poses.npy"])), atol=1e-3)


def test_a_training_goes_on_after_its_last_epoch(after):
    (training,) = [job for job in _rows(after, select(Job)) if job.kind == "train" and job.attempt > 1]
    (made,) = [one for one in after.http.get("/projects/1/checkpoints").json()["items"] if one["job_id"] == training.id]
    shown = after.http.get(f"/checkpoints/{made['id']}").json()
    assert [row["index"] for row in shown["epochs"]] == [0, 1]
    assert shown["pedigree"]["parent"]["id"] == 1
    assert training.result["checkpoint_id"] == made["id"]


def _of_this_version(data: bytes) -> bytes:
    """An export's bytes, if this version had written it."""
    return re.sub(rb'"Posetween [^"]+"', f'"Posetween {VERSION}"'.encode(), data, count=1)


def _rows(service, query):
    database = connect(service.settings.database)
    with database.session(readonly=True) as session:
        rows = session.scalars(query).all()
    database.dispose()
    return rows
