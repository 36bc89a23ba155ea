"""What is quick and what takes long."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from app.jobs import lanes, ledger, segments
from app.tables import JobSegment, Project


@pytest.mark.parametrize("engine", ["auto", "linear", "flow", "stdpose", "of a later version"])
def test_a_small_propagation_is_quick_and_a_long_one_or_one_that_is_fitted_is_not(engine):
    assert lanes.of_propagation(engine, 200, adapt=False) == "gpu-quick"
    assert lanes.of_propagation(engine, 200, adapt=True) == "gpu"
    assert lanes.of_propagation(engine, 200_000, adapt=False) == "gpu"


def test_an_engine_that_computes_more_is_quick_for_fewer_frames():
    assert lanes.of_propagation("flow", 1000, adapt=False) == "gpu-quick"
    assert lanes.of_propagation("stdpose", 1000, adapt=False) == "gpu"


def test_a_clip_is_ingested_and_exported_quickly_and_an_hour_is_not():
    clip, hour = 600, 108_000
    assert lanes.of_ingest(clip * 10_000) == "cpu-quick"
    assert lanes.of_ingest(hour * 10_000) == "cpu"
    assert lanes.of_export(clip, images=False) == "cpu-quick"
    assert lanes.of_export(clip, images=True) == "cpu"
    assert lanes.of_export(hour, images=False) == "cpu"
    assert lanes.of_packing(clip) == "cpu-quick"
    assert lanes.of_packing(5 * hour) == "cpu"
    assert lanes.of_estimate(clip) == "gpu-quick"
    assert lanes.of_estimate(hour) == "gpu"


def test_a_propagation_is_as_long_as_what_is_left_to_compute(database):
    with database.session() as session:
        project = session.get_one(Project, 1)
        number = ledger.enqueue(session, project, "propagate", {}, queue="gpu-quick", max_attempts=1).id
        assert segments.unfinished_frames(session, number) == 0
        spans = [(1, 0, 600), (1, 600, 1100), (2, 0, 900)]
        rows = [{"job_id": number, "track_number": t, "start": a, "stop": b, "input_sha256": "x"} for t, a, b in spans]
        session.execute(insert(JobSegment), rows)
        frames = segments.unfinished_frames(session, number)
        assert frames == 2000
        assert lanes.of_propagation("flow", frames, adapt=False) == "gpu"
        assert lanes.of_propagation("linear", frames, adapt=False) == "gpu-quick"
