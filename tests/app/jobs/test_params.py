"""Rows of jobs are read as types, whatever version of the code wrote them."""

from __future__ import annotations

import json
from typing import ClassVar

import msgspec
import pytest

from app.jobs.params import (
    Computed,
    EstimateParams,
    FillingParams,
    JobRow,
    NewerRow,
    PackingParams,
    PropagationParams,
    Snapshot,
    TrainingParams,
    cuts_of,
)

FILLS = {"tracks": [1, 2], "start": 0, "stop": 9}
TRAINER = {"estimator": "jmpose", "preset": "tiny", "epochs": 2, "batch": 16, "rate": 1e-3, "seed": 0, "minutes": 0}
VIDEO = {"id": 1, "revision": 3, "runs": [2, 1]}
COMPUTED = {"device": "cpu", "precision": "fp32", "threads": 2}
#: As the oldest fits say it.
FIT = {"steps": 90, "planned": 200, "seconds": 45.0, "short_of_time": True}
STAGED = {
    **FILLS,
    "keyframes": None,
    "engine": "auto",
    "adapt": True,
    "checkpoint_id": None,
    "corrects_run_id": None,
    "stage": 2,
    "other_run_id": 4,
    "after": 7,
    "then": "gpu",
}
TRAINING = {
    "config": {**TRAINER, "patience": 8},
    "base_checkpoint_id": None,
    "include": ["human"],
    "pseudo_weight": 1,
    "snapshot": {"skeleton_version": 1, "videos": [VIDEO]},
    "held_out": [[1, 9, 28]],
    "by": {"key_id": 1, "session_id": None},
}


class Second(JobRow, frozen=True, kw_only=True):
    """A row whose meaning changed once."""

    VERSION: ClassVar[int] = 2

    run_id: int


def test_the_oldest_propagations_say_less():
    old = PropagationParams.of({**FILLS, "engine": "flow"})
    assert (old.keyframes, old.adapt, old.checkpoint_id) == (None, False, None)


def test_the_oldest_trainings_and_snapshots_say_less():
    old = TrainingParams.of(TRAINING)
    assert old.config.pretrained == "shipped"
    assert [video.reviews for video in old.snapshot.videos] == [0]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (PackingParams, {"run_id": 1}),
        (PropagationParams, {**FILLS, "keyframes": [3], "engine": "stdpose", "adapt": True, "checkpoint_id": 2}),
        (EstimateParams, {**FILLS, "keyframes": None, "checkpoint_id": 2, "runs": [1], "whole_frame": False}),
        (Snapshot, {"skeleton_version": 1, "videos": [{**VIDEO, "reviews": 4}]}),
        (Snapshot, {"skeleton_version": 1, "videos": [{**VIDEO, "reviews": 4, "first_stages": [2]}]}),
        (PropagationParams, STAGED),
        (Computed, COMPUTED),
        (Computed, {**COMPUTED, "fit": FIT}),
        (Computed, {**COMPUTED, "fit": {**FIT, "precision": "bf16"}}),
    ],
)
def test_a_row_is_written_as_it_was_read(kind, row):
    assert json.loads(json.dumps(kind.of(row).to_row())) == row


def test_what_a_kind_says_beyond_filling_a_run_is_passed_over():
    assert FillingParams.of({**FILLS, "engine": "flow", "later": 1}).stop == 9


def test_a_row_that_lacks_a_field_is_told():
    with pytest.raises(msgspec.ValidationError, match="stop"):
        FillingParams.of({"tracks": [1], "start": 0})


def test_a_row_of_a_later_version_is_not_misread():
    assert Second(run_id=3).to_row() == {"run_id": 3, "version": 2}
    assert Second.of({"run_id": 3}).run_id == 3
    with pytest.raises(NewerRow, match="Second is of version 3"):
        Second.of({"run_id": 3, "version": 3})


@pytest.mark.parametrize(
    ("result", "cuts"),
    [
        (None, []),
        ({"run_id": 1}, []),
        ({"run_id": 1, "checkpoint_id": 2}, []),
        ({"run_id": 1, "cuts": {"version": "1", "frames": [4, 8], "scanned": [[0, 9]]}}, [4, 8]),
        ({"run_id": 1, "cuts": {"frames": [4, 8]}}, [4, 8]),
    ],
)
def test_cuts_that_a_job_found(result, cuts):
    assert cuts_of(result) == cuts
