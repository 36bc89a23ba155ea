"""The layers: what people said, what a machine made of it, and the one laid over the other."""

from __future__ import annotations

from functools import partial

import pytest

from app.apart import Apart
from app.database import connect
from app.labels import router, windows
from app.settings import Settings
from app.storage import open_storage
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


@pytest.mark.parametrize("layer", ["human", "pseudo", "merged"])
def test_a_window_with_too_many_poses_ends_early_and_says_where_to_go_on(desk, monkeypatch, layer):
    for track in (1, 2, 3):
        desk.label(track, *range(0, 45, 2))
    desk.propagate()
    query = {"layer": layer, "start": 3, "stop": 41}
    whole = desk.http.get(f"{desk.url}/labels", params=query).json()
    assert (whole["start"], whole["stop"], whole["next_start"]) == (3, 41, None)
    monkeypatch.setattr(windows, "reach", partial(windows.reach, most=20))
    monkeypatch.setattr(router, "_FEW_LABELS", 0)  # no short cut
    database, storage = connect(desk.service.settings.database), open_storage(desk.service.settings)

    async def here(apart, act, lab_id):
        with database.session(readonly=True) as session:
            return act(session, storage)

    monkeypatch.setattr(Apart, "__call__", here)  # where what is set above counts
    parts, at = [], query["start"]
    while at is not None:
        part = desk.http.get(f"{desk.url}/labels", params={**query, "start": at}).json()
        assert part["start"] == at < part["stop"]
        assert {at <= label["frame_index"] < part["stop"] for label in part["labels"]} == {True}
        assert part["next_start"] in (part["stop"], None)
        assert len(part["labels"]) <= 20 + 3  # about so many: whole frames
        parts.append(part)
        at = part["next_start"]
    assert len(parts) > 2
    assert parts[-1]["stop"] == 41
    assert [label for part in parts for label in part["labels"]] == whole["labels"]
    database.dispose()


def test_a_window_never_spans_more_than_its_most_frames(desk, monkeypatch):
    desk.label(1, 0, 20, 44)
    monkeypatch.setattr(windows, "MAX_WINDOW", 20)
    stops = []
    at = 0
    while at is not None:
        part = desk.http.get(f"{desk.url}/labels", params={"start": at}).json()
        stops.append((part["stop"], [label["frame_index"] for label in part["labels"]]))
        at = part["next_start"]
    assert stops == [(20, [0]), (40, [20]), (45, [44])]


def test_the_schema_says_how_to_read_on(desk):
    read = desk.http.get("/openapi.json").json()["paths"]["/api/v1/videos/{video_id}/labels"]["get"]
    assert "next_start" in read["description"]
    window = read["responses"]["200"]["content"]["application/json"]["schema"]
    assert "null" in window["description"]
    assert "go on" in window["properties"]["next_start"]["description"]
