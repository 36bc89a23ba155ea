"""What is quick and what takes long."""

from __future__ import annotations

import pytest

from app.jobs import lanes


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
