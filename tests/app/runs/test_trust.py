"""What a run says of how far it can be trusted: states, counts, and nothing where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from cachetools import LRUCache

from app.jobs.params import Computed, Fit
from app.runs import basis
from app.tables import Job, Measurement, Run
from pose.calibration.shipped import shipped
from pose.formats import hidden as files
from pose.formats.hidden import errors_of

REGIMES = ["between", "outside", "occluded"]


def test_a_run_tells_what_was_hidden_and_what_its_radii_held(lab):
    run = lab.run()
    told = lab.told(run)
    assert (told["engine"], told["measured_run_id"], told["learnt"]) == ("linear", run, None)
    assert [one["regime"] for one in told["regimes"]] == REGIMES
    one = lab.between(run)
    # A project of one video: rendered ones stand in for those that it lacks.
    assert (one["state"], one["keyframes"], one["videos"], one["shipped"]) == ("provisional", 4, 0, 9)
    with lab.database.session(readonly=True) as session:
        row = session.get_one(Measurement, (lab.number, "linear"))
    errors = errors_of(files.decode(lab.storage.get(row.sha256)))
    mine = errors.select(errors.regime == 0)
    assert one["points"] == len(mine)
    assert one["coverage_as_given"] == pytest.approx((mine.error <= mine.raw).mean(), abs=1e-3)
    assert 0 <= one["coverage_calibrated"] <= 1
    assert (one["auroc"], one["calibration_error"]) == (None, None)
    # Without new labels nothing changes, whatever is propagated again; and a list says nothing of it.
    assert lab.told(lab.run())["regimes"] == told["regimes"]
    assert [row["calibration"] for row in lab.http.get(f"{lab.url}/runs").json()["items"]] == [None, None]


def test_more_labels_and_more_videos_make_it_more_certain(lab):
    run = lab.run()
    assert lab.between(run)["state"] == "provisional"
    for frame in (4, 12, 20, 28):
        label = lab.service.label(frame, 1, lab.walker.tracks[1])
        assert lab.http.put(f"{lab.url}/labels", json={"labels": [label]}).status_code == 200
    later = lab.run()
    assert (lab.between(later)["keyframes"], lab.between(later)["state"]) == (8, "provisional")
    # It is known of the engine on the video, not of one run.
    assert lab.between(run) == lab.between(later)
    other = lab.video()
    lab.run(other)
    assert (lab.between(later)["videos"], lab.between(later)["shipped"]) == (1, 8)
    lab.http.delete(other)
    assert (lab.between(later)["videos"], lab.between(later)["shipped"]) == (0, 9)


def test_before_anything_is_measured_the_state_is_prior(lab):
    one = lab.run(keyframes=[8])
    told = lab.told(one)
    assert (told["measured_run_id"], told["learnt"]) == (None, None)
    assert {(row["state"], row["keyframes"], row["points"]) for row in told["regimes"]} == {("prior", 0, 0)}
    values = ("coverage_as_given", "coverage_calibrated", "auroc", "calibration_error")
    assert {row[value] for row in told["regimes"] for value in values} == {None}


def test_an_object_that_is_gone_leaves_nothing_known_and_comes_again(lab, monkeypatch):
    monkeypatch.setattr(basis, "_objects", LRUCache(8))  # other tests' videos are measured alike
    run = lab.run(engine="flow")
    with lab.database.session(readonly=True) as session:
        row = session.get_one(Measurement, (lab.number, "flow"))
    other = lab.video((0, 10, 20, 30))
    lab.storage.discard(row.sha256)
    assert lab.between(lab.run(other, engine="flow"))["videos"] == 0
    assert lab.between(lab.run(engine="flow"))["keyframes"] == 4
    assert lab.told(run)["measured_run_id"] > run


def test_of_an_engine_that_learnt_from_the_labels_nothing_is_known(lab):
    run = lab.run()
    with lab.database.session() as session:
        job = session.get_one(Job, session.get_one(Run, run).job_id)
        job.params = {**job.params, "checkpoint_id": 7}
    assert lab.told(run)["learnt"] == "checkpoint"
    with lab.database.session() as session:
        fit = Fit(steps=2, planned=2, seconds=1.0, short_of_time=False)
        computed = Computed(device="cpu", precision="float32", threads=1, fit=fit)
        session.get_one(Run, run).computed = computed.to_row()
    told = lab.told(run)
    assert (told["learnt"], told["measured_run_id"]) == ("fitted", None)
    assert {(row["state"], row["keyframes"], row["coverage_as_given"]) for row in told["regimes"]} == {
        ("prior", 0, None)
    }


def test_poses_of_a_file_are_no_engines(lab, walker):
    body = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 320, "height": 240, "frame_index": 3}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "track_id": 1,
                "source": "pseudo",
                "score": 0.5,
                "keypoints": np.array([[9.0, 9.0, 2]] * walker.skeleton.size).ravel().tolist(),
                "num_keypoints": walker.skeleton.size,
                "bbox": [0, 0, 9, 9],
                "area": 81,
                "iscrowd": 0,
            }
        ],
        "categories": [{"id": 1, "name": "a", "keypoints": [*walker.skeleton.keypoints]}],
    }
    made = lab.http.post(f"{lab.url}/labels/import", params={"pseudo": "run"}, json=body)
    assert made.status_code == 200, made.text
    assert lab.told(made.json()["run_id"]) is None


def test_shipped_videos_are_of_engines_that_learnt_nothing():
    assert {len(shipped(engine)) for engine in ("linear", "flow", "stdpose")} == {12}
