"""Curves above a timeline agree with the poses that are read frame by frame."""

from __future__ import annotations

import itertools

import numpy as np
import pytest


def curve(desk, quantity, **query):
    answer = desk.http.get(f"{desk.url}/curves", params={"track_id": 1, "quantity": quantity, **query})
    assert answer.status_code == 200, answer.text
    return answer.json()


def values(desk, quantity, **query):
    """A value for each frame: buckets of one frame have a low that is their high."""
    found = curve(desk, quantity, **query)
    assert found["low"] == found["high"]
    return found["low"]


def places(reviewer):
    """``(45, 2, 2)`` of what is seen."""
    return np.array([np.array(label["keypoints"])[:, :2] for _, label in sorted(reviewer.shown().items())])


def test_a_curve_tells_of_what_is_seen(desk, reviewer, run):
    xy, shown = places(reviewer), reviewer.shown()
    for axis, quantity in enumerate("xy"):
        assert values(desk, quantity, keypoint=1) == pytest.approx(xy[:, 1, axis].tolist(), abs=0.006)
    speed = np.linalg.norm(np.diff(xy, axis=0), axis=-1)
    found = values(desk, "speed", keypoint=0)
    assert found[0] is None
    assert found[1:] == pytest.approx(speed[:, 0].tolist(), abs=0.02)
    assert values(desk, "speed")[1:] == pytest.approx(speed.max(axis=1).tolist(), abs=0.02)
    assert values(desk, "speed", start=30, keypoint=0) == pytest.approx(speed[29:, 0].tolist(), abs=0.02)
    radius = values(desk, "radius90")
    assert [frame for frame, value in enumerate(radius) if value is None] == [0, 20, 40]
    assert radius[10] == pytest.approx(max(shown[10]["keypoint_radius90"]), abs=0.006)


def test_buckets_hold_the_least_and_the_greatest_of_their_frames(desk, run):
    fine, coarse = values(desk, "x", keypoint=0), curve(desk, "x", keypoint=0, buckets=7)
    edges = [bucket * 45 // 7 for bucket in range(8)]
    parts = [fine[first:last] for first, last in itertools.pairwise(edges)]
    assert coarse["low"] == [min(part) for part in parts]
    assert coarse["high"] == [max(part) for part in parts]
    assert (coarse["start"], coarse["stop"], coarse["buckets"]) == (0, 45, 7)


def test_nothing_is_told_where_the_subject_is_absent(desk, run):
    absent = {"frame_index": 30, "track_id": 1, "absent": True}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [absent]}).is_success
    x = values(desk, "x", keypoint=0)
    assert x[30] is None
    assert x[20] is not None


def test_two_runs_are_compared(desk, reviewer, run):
    first = places(reviewer)
    moved = [[100, 60, 2], [100, 90, 2]]
    desk.put((30, 1, moved))
    other = desk.propagate(start=20, stop=41)
    second = places(reviewer)
    away = np.linalg.norm(second - first, axis=-1)
    found = values(desk, "difference", run_id=run, against=other)
    assert found[:20] == [None] * 20
    assert found[41:] == [None] * 4
    assert found[20:41] == pytest.approx(away[20:41].max(axis=1).tolist(), abs=0.02)
    assert max(found[20:41]) == found[30] > 50
    assert values(desk, "difference", run_id=run, against=run)[:45] == [0] * 45
    # Each run by itself, without what people said since: also when it is hidden.
    assert desk.http.delete(f"/runs/{run}").is_success
    assert values(desk, "x", keypoint=0, run_id=run)[30] == pytest.approx(first[30, 0, 0], abs=0.006)
    assert values(desk, "x", keypoint=0)[30] == 100
    assert values(desk, "x", keypoint=0)[10] is None


def test_poses_of_one_run_are_read_though_a_newer_one_is_visible(desk, run):
    before = desk.http.get(f"{desk.url}/poses", params={"layer": "pseudo"}).content
    desk.put((30, 1, [[100, 60, 2], [100, 90, 2]]))
    desk.propagate()
    query = {"layer": "pseudo", "run_id": run, "start": 0, "stop": 20}
    alone = desk.http.get(f"{desk.url}/poses", params=query).content
    assert np.frombuffer(before, "<u4", 20, 36).tolist() == np.frombuffer(alone, "<u4", 20, 36).tolist() == [run] * 20
    seen = desk.http.get(f"{desk.url}/poses", params={"layer": "pseudo"}).content
    assert run not in np.frombuffer(seen, "<u4", 45, 36)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"track_id": 9}, "/track_id"),
        ({"quantity": "x"}, "/keypoint"),
        ({"keypoint": 2}, "/keypoint"),
        ({"quantity": "colour"}, "/quantity"),
        ({"run_id": 99999}, "/run_id"),
        ({"quantity": "difference"}, "/run_id"),
        ({"buckets": 4097}, "/buckets"),
    ],
)
def test_questions_that_make_no_sense(desk, refused, query, pointer):
    refused(desk.http.get(f"{desk.url}/curves", params={"track_id": 1, **query}), 422, pointer)


def test_only_a_difference_is_against_another_run(desk, run, refused):
    query = {"track_id": 1, "quantity": "speed", "run_id": run, "against": run}
    refused(desk.http.get(f"{desk.url}/curves", params=query), 422, "/against")
    refused(desk.http.get(f"{desk.url}/poses", params={"run_id": 99999}), 422, "/run_id")
