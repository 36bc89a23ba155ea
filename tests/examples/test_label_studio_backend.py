"""The backend in the words that Label Studio speaks to it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from examples.frame_poses import FramePoses
from examples.label_studio_backend import create
from formats import label_studio
from posetween import Client

CONFIG = """<View><Image name="picture" value="$file"/>
<RectangleLabels name="animals" toName="picture"><Label value="mouse"/></RectangleLabels>
<KeyPointLabels name="joints" toName="picture">{}</KeyPointLabels></View>"""


@pytest.fixture
def backend(poses):
    return TestClient(create(poses))


@pytest.fixture
def config(walker):
    return CONFIG.format("".join(f'<Label value="{name}"/>' for name in walker.skeleton.keypoints))


def asked(backend, config, *files):
    """Ask for predictions as Label Studio does."""
    tasks = [{"id": number, "data": {"file": file}} for number, file in enumerate(files, start=1)]
    params = {"login": None, "password": None, "context": None}
    body = {"tasks": tasks, "project": "3.1700000000", "label_config": config, "params": params}
    answer = backend.post("/predict", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def test_it_is_up_and_connects(backend, config):
    assert backend.get("/health").json()["status"] == backend.get("/").json()["status"] == "UP"
    body = {"project": "3.1", "schema": config, "hostname": "http://localhost:8080", "access_token": "x"}
    assert backend.post("/setup", json=body).json() == {"model_version": "posetween"}


def test_each_task_gets_its_poses(backend, config, walker, tmp_path):
    stem = walker.path.stem
    files = [f"/data/upload/3/0a1b2c3d-{stem}_0020.png", "/data/upload/3/x.png"]
    files.append(f"/data/local-files/?d={stem}/frame_000010.jpg")
    known, nothing, between = asked(backend, config, *files)
    assert nothing == {"model_version": "posetween", "score": 0.0, "result": []}
    assert 0 < between["score"] < known["score"]
    assert {one["from_name"] for one in known["result"]} == {"animals", "joints"}
    assert {one["to_name"] for one in known["result"]} == {"picture"}
    assert known["result"][0]["value"]["rectanglelabels"] == ["mouse"]
    # Read as an export of Label Studio it is the truth.
    task = {"data": {"image": f"{stem}/frame_000020.png"}, "annotations": [], "predictions": [known]}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    found = label_studio.read(tmp_path / "tasks.json")
    truth = walker.tracks[1]
    row = list(truth.frames).index(20)
    for k, name in enumerate(walker.skeleton.keypoints):
        if truth.visibility[row, k]:
            place = found.xy[0, found.skeleton.keypoints.index(name)]
            np.testing.assert_allclose(place, truth.xy[row, k], atol=0.02)


def test_keypoints_that_the_configuration_lacks_are_said_and_left_out(backend, walker):
    first, *others = walker.skeleton.keypoints
    config = CONFIG.format("".join(f'<Label value="{name}"/>' for name in others))
    refused = backend.post("/setup", json={"schema": config})
    assert (refused.status_code, refused.json()["detail"]) == (400, f"joints lacks the labels {first}")
    (found,) = asked(backend, config, f"{walker.path.stem}/frame_000020.jpg")
    assert first not in {one["value"].get("keypointlabels", [""])[0] for one in found["result"]}


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("<View>", "no XML"),
        ("<View/>", "needs an Image, RectangleLabels and KeyPointLabels"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><View/>', "no document type"),
    ],
)
def test_another_configuration_is_refused(config, said, backend):
    for path, body in (("/setup", {"schema": config}), ("/predict", {"tasks": [], "label_config": config})):
        refused = backend.post(path, json=body)
        assert refused.status_code == 400
        assert said in refused.json()["detail"]


def test_a_readers_key_is_enough_until_it_is_taken_back(labelled, address, config, walker):
    made = labelled.http.post("/keys", json={"name": "label studio", "role": "reader"}).json()
    with Client(address, made["key"]) as client:
        backend = TestClient(create(FramePoses(client, "walks")))
        (found,) = asked(backend, config, f"{walker.path.stem}/frame_000020.jpg")
        assert found["result"]
        assert labelled.http.delete(f"/keys/{made['id']}").is_success
        body = {"tasks": [{"data": {"file": f"{walker.path.stem}/frame_000021.jpg"}}], "label_config": config}
        refused = backend.post("/predict", json=body)
    assert refused.status_code == 503
    assert "key" in refused.json()["detail"]
