"""Two runs in a real browser: drawn at once, their difference plotted, one of them hidden."""

from __future__ import annotations

import numpy as np
import pytest

from tests.page.conftest import label, uploaded

BETWEEN = 10
KEYPOINT = "head"


@pytest.fixture(scope="module")
def video(lab, pair):
    """A video with a fly, propagated from two labels, and from a third one between them."""
    with lab.client() as client:
        video = uploaded(client, pair, "Flies")
        track = client.post(f"/videos/{video}/tracks", {"name": "fly"})["id"]
        truth = next(iter(pair.tracks.values()))
        for frames, right in (((0, 20), 0), ((8,), 40)):
            label(client, video, track, truth, frames, right=right)
            client.wait(client.post(f"/videos/{video}/propagations", {"engine": "linear"})["id"], lambda job: None)
    return video


@pytest.fixture(scope="module")
def runs(lab, video):
    """The two runs, the older one first."""
    with lab.client() as client:
        return [run["id"] for run in client.get(f"/videos/{video}/runs")["items"]]


@pytest.fixture(scope="module")
def seen(drive, lab, video, runs):
    told = {"video": video, "newest": runs[1], "keypoint": KEYPOINT, "between": BETWEEN}
    return drive("runs.mjs", {**lab.about, **told})


@pytest.fixture(scope="module")
def poses(seen, lab, video, runs, pair):
    """Where each run has the keypoint, and how far apart the two are."""
    index = pair.skeleton.keypoints.index(KEYPOINT)
    with lab.client() as client:
        url = f"/videos/{video}/curves"
        where = [
            [client.get(url, track_id=1, quantity=axis, keypoint=index, run_id=run)["high"][BETWEEN] for axis in "xy"]
            for run in runs
        ]
        difference = {"track_id": 1, "quantity": "difference", "run_id": runs[1], "against": runs[0]}
        return np.array(where), client.get(url, **difference)["high"][BETWEEN]


def test_nothing_is_thrown_and_axe_finds_nothing(seen):
    assert seen["faults"] == []
    assert {place: found for place, found in seen["wrong"].items() if found} == {}


def test_both_runs_are_drawn_and_the_newest_is_the_first(seen, poses, runs):
    (old, new), _ = poses
    assert seen["compared"] == [f"Run {run} \u00b7 Straight lines" for run in reversed(runs)]
    before, during, after = seen["pink"]
    assert (before, after) == (0, 0)
    assert during > 100
    assert seen["first"][0] == pytest.approx(new.tolist(), abs=0.02)
    assert seen["first"][1] == pytest.approx(old.tolist(), abs=0.02)


def test_how_far_apart_they_are_is_plotted(seen, poses):
    _, difference = poses
    assert (seen["quantity"], seen["after"]) == ("Difference", "Radius")
    assert difference > 20
    assert float(seen["difference"].split()[0]) == pytest.approx(difference, abs=0.51)


def test_behind_a_hidden_run_is_the_one_before(seen, poses):
    (old, _), _ = poses
    assert seen["hidden"] == pytest.approx(old.tolist(), abs=0.02)
