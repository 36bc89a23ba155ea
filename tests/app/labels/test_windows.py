"""The layers: what people said, what a machine made of it, and the one laid over the other."""

from __future__ import annotations

import pytest

from app.settings import Settings
from pose.skeleton import Skeleton


@pytest.fixture(scope="module")
def layered(serving, walker, tmp_path_factory):
    """A video propagated from two keyframes, on the second of which only the first keypoint is labelled."""
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("layers"), port=0))
    video = service.upload(service.project(Skeleton(name="two", keypoints=("a", "b"))), walker.path)
    service.track(video)
    labels = [
        {"frame_index": 10, "track_id": 1, "keypoints": [[50, 60, 2], [70, 80, 1]]},
        {"frame_index": 20, "track_id": 1, "keypoints": [[90, 60, 2], [0, 0, 0]]},
    ]
    service.http.put(f"/videos/{video['id']}/labels", json={"labels": labels})
    body = {"engine": "linear", "start": 5, "stop": 31}
    service.finished(service.http.post(f"/videos/{video['id']}/propagations", json=body).json())
    return service, f"/videos/{video['id']}/labels"


def read(layered, **query):
    service, url = layered
    return {label["frame_index"]: label for label in service.http.get(url, params=query).json()["labels"]}


def test_people_s_labels_alone(layered):
    labels = read(layered)
    assert {frame: label["source"] for frame, label in labels.items()} == {10: "human", 20: "human"}
    assert labels[20]["keypoints"] == [[90, 60, 2], [0, 0, 0]]
    assert "score" not in labels[20]


def test_a_machine_s_labels_alone(layered):
    labels = read(layered, layer="pseudo")
    assert list(labels) == list(range(5, 31))
    assert all(label["run_id"] == 1 for label in labels.values())
    # On a keyframe there is the label that the propagation was made from, and nothing of the machine's.
    assert {frame for frame, label in labels.items() if label["source"] == "human"} == {10}
    assert labels[20]["keypoint_sources"] == ["human", "pseudo"]
    assert labels[15]["keypoints"][0][:2] == [70, 60]
    assert len(labels[15]["keypoint_scores"]) == len(labels[15]["keypoint_radius90"]) == 2


def test_people_s_points_lie_over_a_machine_s(layered):
    labels = read(layered, layer="merged")
    assert list(labels) == list(range(5, 31))
    assert labels[10]["source"] == "human"
    mixed = labels[20]
    assert mixed["source"] == "pseudo"
    assert mixed["keypoint_sources"] == ["human", "pseudo"]
    assert mixed["keypoints"][0] == [90, 60, 2]
    assert mixed["keypoints"][1][2] > 0
    assert (mixed["revision"], mixed["run_id"]) == (1, 1)


def test_propagation_leaves_people_s_labels_alone(layered):
    service, url = layered
    before = service.http.get(url).content
    for engine in ("linear", "flow"):
        body = {"engine": engine}
        job = service.http.post(url.removesuffix("/labels") + "/propagations", json=body).json()
        ended = service.finished(job)
        assert ended["state"] == "succeeded"
        assert service.http.get(url).content == before
        service.http.delete(f"/runs/{ended['result']['run_id']}")


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 10), (10, 11), (20, 45), (44, 45), (11, 20), (30, 30), (40, 2**53), (50, 60)]
)
@pytest.mark.parametrize("layer", ["human", "pseudo", "merged"])
def test_a_window_is_a_part_of_the_whole(layered, layer, start, stop):
    whole = read(layered, layer=layer)
    assert read(layered, layer=layer, start=start, stop=stop) == {
        frame: label for frame, label in whole.items() if start <= frame < stop
    }


def test_a_window_that_is_read_backwards_is_empty(layered):
    assert read(layered, start=20, stop=10) == {}


def test_the_past_of_people_lies_over_the_present_of_machines(layered):
    labels = read(layered, layer="merged", revision=0)
    assert labels == read(layered, layer="pseudo")
    assert not any("revision" in label or "stale" in label for label in labels.values())
