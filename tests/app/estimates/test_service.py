"""Estimates that cannot be made as asked are refused at once."""

from __future__ import annotations

import pytest

BAD = [
    ({"checkpoint_id": 0}, "/checkpoint_id"),
    ({"checkpoint_id": "best"}, "/checkpoint_id"),
    ({"checkpoint_id": 999}, "/checkpoint_id"),
    ({"tracks": []}, "/tracks"),
    ({"tracks": [2]}, "/tracks/0"),
    ({"tracks": [1, 9]}, "/tracks/1"),
    ({"start": 10, "stop": 10}, "/start"),
    ({"start": 45}, "/start"),
    ({"stop": 46}, "/stop"),
    ({"stop": -1}, "/stop"),
    ({"engine": "flow"}, "/engine"),
]


@pytest.fixture(scope="module")
def checkpoint(house, plant_checkpoint):
    """One that is not promoted."""
    return plant_checkpoint(house.service, house.project["id"])


@pytest.mark.parametrize(("body", "pointer"), BAD)
def test_what_cannot_be_estimated(house, checkpoint, refused, everything, body, pointer):
    before = everything(house.service)
    body = {"checkpoint_id": checkpoint, **body}
    refused(house.http.post(f"{house.url}/estimates", json=body), 422, pointer)
    assert everything(house.service) == before


def test_without_a_promoted_checkpoint_one_has_to_be_named(house, checkpoint, plant_checkpoint, refused, everything):
    before = everything(house.service)
    problem = refused(house.http.post(f"{house.url}/estimates", json={}), 409)
    assert "no promoted checkpoint" in problem["detail"]
    assert everything(house.service) == before
    job = house.http.post(f"{house.url}/estimates", json={"checkpoint_id": checkpoint}).json()
    assert job["result"]["checkpoint_id"] == checkpoint
    promoted = plant_checkpoint(house.service, house.project["id"], promoted=True)
    later = house.http.post(f"{house.url}/estimates", json={}).json()
    assert later["result"]["checkpoint_id"] == promoted
    for waiting in (job, later):
        house.http.post(f"/jobs/{waiting['id']}/cancel")


def test_an_estimate_is_a_run_of_the_video(house, checkpoint):
    body = {"checkpoint_id": checkpoint, "start": 5, "stop": 30}
    job = house.http.post(f"{house.url}/estimates", json=body).json()
    assert (job["kind"], job["video_id"]) == ("estimate", house.video["id"])
    run = house.http.get(f"/runs/{job['result']['run_id']}").json()
    sha256 = house.http.get(f"/checkpoints/{checkpoint}").json()["sha256"]
    assert (run["checkpoint_id"], run["checkpoint_sha256"], run["engine"]) == (checkpoint, sha256, "estimator stdpose")
    assert (run["start"], run["stop"], run["tracks"], run["skeleton_version"]) == (5, 30, [1], 1)
    assert run["cuts"] == []
    assert run in house.http.get(f"{house.url}/runs", params={"limit": 200}).json()["items"]
    house.http.post(f"/jobs/{job['id']}/cancel")


def test_tracks_without_a_pose_cannot_be_told_apart(house, checkpoint, walker, refused):
    data = walker.path.read_bytes() + (16).to_bytes(4, "big") + b"free" + b"estimate"
    answer = house.http.post(f"/projects/{house.project['id']}/videos", content=data).json()
    house.service.work()
    url = f"/videos/{answer['id']}"
    body = {"checkpoint_id": checkpoint}
    alone = house.http.post(f"{url}/estimates", json=body)
    assert alone.status_code == 202
    tracks = house.http.get(f"{url}/tracks").json()["items"]
    assert [(track["id"], track["name"]) for track in tracks] == [(1, "subject")]
    assert house.http.get(f"/runs/{alone.json()['result']['run_id']}").json()["tracks"] == [1]
    house.http.post(f"{url}/tracks", json={"name": "second"})
    refused(house.http.post(f"{url}/estimates", json=body), 422, "/tracks")
    refused(house.http.post(f"{url}/estimates", json={**body, "tracks": [1, 2]}), 422, "/tracks/0")
    second = house.http.post(f"{url}/estimates", json={**body, "tracks": [2]})
    assert second.status_code == 202
    for job in (alone.json(), second.json()):
        house.http.post(f"/jobs/{job['id']}/cancel")


def test_a_checkpoint_of_another_skeleton(house, plant_checkpoint, pair, refused):
    flies = house.service.project(pair.skeleton, "flies")
    number = plant_checkpoint(house.service, flies["id"])
    problem = refused(house.http.post(f"{house.url}/estimates", json={"checkpoint_id": number}), 409)
    assert "another skeleton" in problem["detail"]


def test_a_video_that_is_still_being_read(house, checkpoint, walker, refused):
    data = walker.path.read_bytes() + (16).to_bytes(4, "big") + b"free" + b"waiting!"
    video = house.http.post(f"/projects/{house.project['id']}/videos", content=data).json()
    refused(house.http.post(f"/videos/{video['id']}/estimates", json={"checkpoint_id": checkpoint}), 409)
