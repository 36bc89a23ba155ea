"""Propagations that cannot be done as asked are refused at once; runs are hidden and shown again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.settings import Settings
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter

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
    ({"engine": "flow", "adapt": True}, "/adapt"),
    ({"detector": 10**6}, "/detector"),
    ({"detector": "best"}, "/detector"),
    ({"detector": 0}, "/detector"),
    ({"engine": "flow", "detector": 1}, "/detector"),
    ({"corrects_run_id": 10**6}, "/corrects_run_id"),
    ({"corrects_run_id": 0}, "/corrects_run_id"),
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
    assert run["cuts"] == []
    # How far its error bars can be trusted is told of one run alone.
    assert house.http.get(f"{house.url}/runs").json()["items"] == [{**run, "calibration": None}]


def test_a_run_says_which_one_it_corrects(house, run):
    assert run["corrects_run_id"] is None
    body = {"engine": "linear", "start": 5, "stop": 9, "corrects_run_id": run["id"]}
    job = house.service.finished(house.http.post(f"{house.url}/propagations", json=body).json())
    assert house.http.get(f"/runs/{job['result']['run_id']}").json()["corrects_run_id"] == run["id"]


def test_a_run_names_the_cuts_in_its_range(serving, tmp_path):
    """The next run knows them too, though it computes nothing anew."""
    shots = [SceneSpec(seed=6, kind="fly", num_frames=12), SceneSpec(seed=2, num_frames=12)]
    path = tmp_path / "shots.mp4"
    with VideoWriter(path, 25, 160, 120) as writer:
        for spec in shots:
            for frame in Scene(replace(spec, width=160, height=120)).frames():
                writer.write(frame)
    service = serving(Settings(data_dir=tmp_path / "data", port=0))
    video = service.upload(service.project(Skeleton(name="one", keypoints=("a",))), path)
    service.track(video)
    label = {"frame_index": 2, "track_id": 1, "keypoints": [[40, 50, 2]]}
    assert service.http.put("/videos/1/labels", json={"labels": [label]}).status_code == 200
    for start, stop, cuts in ((0, 24, [12]), (0, 24, [12]), (0, 12, []), (12, 24, [12])):
        body = {"engine": "flow", "start": start, "stop": stop}
        job = service.finished(service.http.post("/videos/1/propagations", json=body).json())
        assert job["state"] == "succeeded", job
        assert service.http.get(f"/runs/{job['result']['run_id']}").json()["cuts"] == cuts
    labels = service.http.get("/videos/1/labels", params={"layer": "pseudo"}).json()["labels"]
    assert [label["frame_index"] for label in labels if label["keypoints"][0][2]] == list(range(12))


def test_hiding_and_restoring_can_be_repeated(house, run):
    url = f"/runs/{run['id']}"
    for method, path, hidden in (("DELETE", url, True), ("POST", f"{url}/restore", False)):
        first = house.http.request(method, path)
        again = house.http.request(method, path)
        assert first.status_code == again.status_code == 200
        assert first.json() == again.json() == {**run, "hidden": hidden, "calibration": None}


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
