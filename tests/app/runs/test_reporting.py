"""The report of a run: what hidden keyframes tell of it, and of the engines beside it."""

from __future__ import annotations

import numpy as np

from app.runs.reporting import compared
from app.tables import Job, Run
from pose.calibration.residuals import Residuals


def reported(lab, run):
    answer = lab.http.get(f"/runs/{run}/trust")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_report_tells_of_each_keypoint_and_gap_and_of_the_engines(lab):
    run = lab.run()
    told = reported(lab, run)
    assert (told["run_id"], told["engine"], told["measured_run_id"], told["learnt"]) == (run, "linear", run, None)
    assert told["engines"] is None
    (between,) = [one for one in told["regimes"] if one["regime"] == "between"]
    known = lab.between(run)
    assert sum(one["keyframes"] for one in between["gaps"]) == known["keyframes"]
    assert sum(one["points"] for one in between["keypoints"]) == known["points"]
    assert sum(one["points"] for one in between["reliability"]) == known["points"]
    assert between["hardest_quarter"]["keyframes"] == 1
    for one in between["keypoints"]:
        assert 0 <= one["coverage_calibrated"] <= 1
        assert one["error"] > 0
    lab.run(engine="flow")
    engines = reported(lab, run)["engines"]
    assert {one["engine"] for one in engines["engines"]} == {"linear", "flow"}
    assert engines["engines"][0]["error"] <= engines["engines"][1]["error"]
    assert engines["keyframes"] >= known["keyframes"]
    assert lab.http.get(f"/runs/{run}").json()["engines"] == engines
    assert lab.http.get(f"{lab.url}/runs").json()["items"][0]["engines"] is None


def test_where_nothing_was_measured_or_the_engine_learnt_nothing_is_told(lab):
    run = lab.run(keyframes=[8])
    assert reported(lab, run)["regimes"] == []
    run = lab.run()
    with lab.database.session() as session:
        job = session.get_one(Job, session.get_one(Run, run).job_id)
        job.params = {**job.params, "checkpoint_id": 7}
    told = reported(lab, run)
    assert (told["learnt"], told["regimes"], told["measured_run_id"]) == ("checkpoint", [], None)
    assert lab.http.get("/runs/99999/trust").status_code == 404


def errors(error, keyframes=10, gap=4.0):
    frames = np.repeat(np.arange(keyframes), 3)
    count = len(frames)
    return Residuals(
        track=np.ones(count, dtype=np.int64),
        frame=frames,
        keypoint=np.tile(np.arange(3), keyframes),
        regime=np.zeros(count, dtype=np.uint8),
        gap=np.full(count, gap),
        raw=np.full(count, 0.02),
        error=np.full(count, error),
    )


def test_engines_are_compared_on_what_was_hidden_from_all_of_them_alike():
    told = compared({"linear": errors(0.04), "flow": errors(0.02, 8), "stdpose": errors(0.021)})
    assert [one["engine"] for one in told["engines"]] == ["flow", "stdpose", "linear"]
    assert (told["keyframes"], told["points"]) == (8, 24)
    assert told["words"].endswith("flow 2.0% and stdpose 2.1%; worse are linear 4.0%")
    # Other labels around a keyframe are another question.
    assert compared({"linear": errors(0.04), "flow": errors(0.02, gap=5.0)}) is None
    assert compared({"linear": errors(0.04)}) is None
    assert "too few" in compared({"linear": errors(0.04, 7), "flow": errors(0.02)})["words"]
