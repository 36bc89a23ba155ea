"""Propagations that cannot be done as asked are refused at once; runs are hidden and shown again."""

from __future__ import annotations

import pytest

BAD = [
    ({"engine": "magic"}, "/engine"),
    ({"engine": None}, "/engine"),
    ({"tracks": [2]}, "/tracks/0"),
    ({"tracks": [1, 99]}, "/tracks/1"),
    ({"tracks": []}, "/tracks"),
    ({"tracks": [0]}, "/tracks/0"),
    ({"tracks": [2**70]}, "/tracks/0"),
    ({"tracks": "all"}, "/tracks"),
    ({"start": 10, "stop": 10}, "/start"),
    ({"start": 20, "stop": 10}, "/start"),
    ({"start": 45}, "/start"),
    ({"start": -1}, "/start"),
    ({"stop": 46}, "/stop"),
    ({"stop": 0}, "/start"),
    ({"stop": 10**30}, "/stop"),
    ({"start": 1.5}, "/start"),
    ({"keyframes": []}, "/keyframes"),
    ({"keyframes": [0, 1]}, "/keyframes/1"),
    ({"keyframes": [45]}, "/keyframes/0"),
    ({"keyframes": [-1]}, "/keyframes/0"),
    ({"adapt": "yes"}, "/adapt"),
    ({"surprise": 1}, "/surprise"),
]


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_what_cannot_be_propagated(house, refused, everything, body, pointer):
    before = everything(house.service)
    refused(house.http.post(f"{house.url}/propagations", json=body), 422, pointer)
    assert everything(house.service) == before


def test_without_a_keyframe_there_is_nothing_to_propagate(house, refused, everything):
    track = house.service.track(house.video)
    before = everything(house.service)
    refused(house.http.post(f"{house.url}/propagations", json={"tracks": [track["id"]]}), 422, "/tracks/0")
    assert everything(house.service) == before


@pytest.fixture(scope="module")
def run(house):
    body = {"engine": "linear", "start": 3, "stop": 30, "keyframes": [0, 20]}
    job = house.service.finished(house.http.post(f"{house.url}/propagations", json=body).json())
    return house.http.get(f"/runs/{job['result']['run_id']}").json()


def test_a_run_knows_where_it_comes_from(house, run):
    assert (run["engine"], run["state"], run["label_revision"], run["skeleton_version"]) == (
        "linear",
        "succeeded",
        1,
        1,
    )
    assert (run["start"], run["stop"], run["tracks"]) == (3, 30, [1])
    assert run["segments"] == run["segments_done"] == 2
    assert house.http.get(f"{house.url}/runs").json()["items"] == [run]


def test_hiding_and_restoring_can_be_repeated(house, run):
    url = f"/runs/{run['id']}"
    for method, path, hidden in (("DELETE", url, True), ("POST", f"{url}/restore", False)):
        first = house.http.request(method, path)
        again = house.http.request(method, path)
        assert first.status_code == again.status_code == 200
        assert first.json() == again.json() == {**run, "hidden": hidden}


def test_labels_that_come_later_do_not_change_a_propagation_that_waits(house):
    """What is propagated are the labels as they were when it was asked for."""
    job = house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json()
    moved = [[x + 50, y, v] for x, y, v in house.label["keypoints"]]
    house.http.put(f"{house.url}/labels", json=house.labels(10, keypoints=moved))
    ended = house.service.finished(job)
    window = {"start": 10, "stop": 11, "layer": "pseudo"}
    before = house.http.get(f"{house.url}/labels", params=window).json()["labels"][0]
    assert before["run_id"] == ended["result"]["run_id"]
    assert before["keypoints"][0][:2] != moved[0][:2]
    house.service.finished(house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json())
    after = house.http.get(f"{house.url}/labels", params=window).json()["labels"][0]
    assert after["keypoints"][0][:2] == pytest.approx(moved[0][:2], abs=1e-3)
