"""A run's poses count while the labels stand that they were computed from; where one does not, that is said."""

from __future__ import annotations

import json

import pytest

from tests.app.desk import pose


@pytest.fixture
def run(desk):
    """A propagation of track 1 from three labels."""
    desk.label(1, 0, 20, 40)
    return desk.propagate()


def poses(desk, layer="merged", **query):
    """The poses of track 1 by frame."""
    labels = desk.http.get(f"{desk.url}/labels", params={"layer": layer, **query}).json()["labels"]
    return {label["frame_index"]: label for label in labels if label["track_id"] == 1}


def stale(desk, run):
    return desk.http.get(f"/runs/{run}").json()["stale"]


def listed(desk):
    return {row["id"]: row["stale"] for row in desk.http.get(f"{desk.url}/runs").json()["items"]}


def exported(desk, **spec):
    """Annotations of track 1 by frame."""
    document = json.loads(desk.export(**spec))
    frames = {image["id"]: image["frame_index"] for image in document["images"]}
    return {frames[row["image_id"]]: row for row in document["annotations"] if row["track_id"] == 1}


def delete(desk, frame, *keypoints):
    query = {"frame_index": frame, "track_id": 1, "keypoint": keypoints}
    answer = desk.http.delete(f"{desk.url}/labels", params=query)
    assert answer.json()["written"] == 1
    return answer.json()["revision"]


def test_a_run_from_labels_that_stand_is_not_stale(desk, run):
    assert stale(desk, run) == []
    assert listed(desk) == {run: []}
    assert not any("stale" in label for label in poses(desk).values())


def test_a_deleted_point_does_not_come_back_from_the_run(desk, run):
    gone = delete(desk, 20, 0)
    for layer in ("merged", "pseudo"):
        keypoints = poses(desk, layer)[20]["keypoints"]
        assert keypoints == [[0, 0, 0], pose(1, 20)[1]]
    assert stale(desk, run) == [{"track_id": 1, "start": 1, "stop": 40, "keypoints": [0]}]
    assert listed(desk) == {run: stale(desk, run)}
    shown = poses(desk)
    marked = {frame: label["stale_keypoints"] for frame, label in shown.items() if label.get("stale")}
    assert marked == {frame: [0] for frame in range(1, 40) if frame != 20}
    for spec in ({"min_score": 0.99}, {}, {"include": ["pseudo"]}):
        rows = exported(desk, **spec)
        assert all(row["keypoints"][:3] == [0, 0, 0] for frame, row in rows.items() if 0 < frame < 40)
    assert 20 not in exported(desk, include=["pseudo"])
    kept = exported(desk, include_stale=True)
    assert kept[10]["keypoints"][2] == 2
    assert kept[10]["stale_keypoints"] == [0]
    assert kept[20]["keypoints"][:3] == [0, 0, 0]
    desk.undo(gone)
    assert stale(desk, run) == []
    assert poses(desk)[20]["keypoints"] == pose(1, 20)


def test_a_deleted_keyframe_is_gone_until_it_is_propagated_again(desk, run):
    delete(desk, 20)
    assert 20 not in poses(desk)
    assert 20 not in poses(desk, "pseudo")
    assert stale(desk, run) == [{"track_id": 1, "start": 1, "stop": 40, "keypoints": None}]
    assert {*exported(desk)} == {0, *range(40, 45)}
    again = desk.propagate()
    assert stale(desk, again) == []
    assert poses(desk)[20]["source"] == "pseudo"
    assert poses(desk)[20]["score"] < 1
    assert {*exported(desk)} == {*range(45)}


def test_a_moved_point_makes_its_neighbourhood_stale(desk, run):
    desk.put((20, 1, [[7, 7, 2], [0, 0, 0]]))
    assert stale(desk, run) == [{"track_id": 1, "start": 1, "stop": 40, "keypoints": [0]}]
    shown = poses(desk)
    assert "stale" not in shown[20]
    assert shown[20]["keypoints"] == [[7, 7, 2], pose(1, 20)[1]]
    assert shown[19]["stale_keypoints"] == [0]
    assert "stale" not in shown[42]
    desk.label(1, 20)
    assert stale(desk, run) == []


def test_a_label_more_is_no_label_less(desk, run):
    desk.label(1, 10)
    assert stale(desk, run) == []
    assert {*exported(desk)} == {*range(45)}


def test_labels_that_a_run_did_not_use_do_not_matter_to_it(desk):
    desk.label(1, 0, 10, 20, 40)
    run = desk.propagate(keyframes=[0, 40])
    delete(desk, 10)
    assert stale(desk, run) == []
    assert poses(desk)[10]["source"] == "pseudo"
    delete(desk, 40)
    assert stale(desk, run) == [{"track_id": 1, "start": 1, "stop": 45, "keypoints": None}]


def test_what_was_propagated_from_labels_that_moved_to_another_track_is_stale(desk):
    desk.label(1, 0, 20, 40)
    desk.label(2, 0, 20, 40)
    run = desk.propagate()
    swapped = desk.edit("swap", a=1, b=2, start=30).json()["revision"]
    ends = [{"track_id": track, "start": 21, "stop": 45, "keypoints": None} for track in (1, 2)]
    assert stale(desk, run) == ends
    assert {*exported(desk)} == {*range(21), 40}
    desk.undo(swapped)
    assert stale(desk, run) == []
    merged = desk.edit("merge", **{"from": 2, "into": 1, "prefer": "into"}).json()["revision"]
    assert stale(desk, run) == [{"track_id": 2, "start": 0, "stop": 45, "keypoints": None}]
    desk.undo(merged)
    desk.edit("split", track=1, start=40)
    assert stale(desk, run) == ends[:1]


def test_a_keyframe_in_a_machine_s_layer_is_a_person_s(desk, run):
    """It was given as a machine's pose with score 1, and exported as one."""
    shown = poses(desk, "pseudo")
    assert {frame for frame, label in shown.items() if label["source"] == "human"} == {0, 20, 40}
    assert all("score" not in shown[frame] for frame in (0, 20, 40))


def test_each_point_of_an_export_is_of_one_source(desk):
    desk.put((0, 1, pose(1, 0)), (20, 1, pose(1, 20, known=(True, False))), (40, 1, pose(1, 40)))
    desk.propagate()
    desk.put((30, 1, pose(1, 30, known=(False, True))))
    merged = exported(desk, include=["human", "pseudo"])
    human, pseudo = exported(desk, include=["human"]), exported(desk, include=["pseudo"])
    assert {*human} == {0, 20, 30, 40}
    assert {*pseudo} == {*range(45)} - {0, 40}
    assert {row["source"] for row in human.values()} == {"human"}
    assert {row["source"] for row in pseudo.values()} == {"pseudo"}
    assert merged[20]["keypoint_sources"] == ["human", "pseudo"]
    assert all("keypoint_sources" not in row for row in pseudo.values())
    for frame, row in merged.items():
        parts = [part[frame]["keypoints"] for part in (human, pseudo) if frame in part]
        for k in range(2):
            point = slice(3 * k, 3 * k + 3)
            assert [part[point] for part in parts if part[point] != [0, 0, 0]] == [row["keypoints"][point]], frame


def test_nothing_is_accepted_before_there_are_reviews(desk, run):
    job = desk.http.post(f"/projects/{desk.project['id']}/exports", json={"include": ["accepted"]}).json()
    url = f"/exports/{desk.service.finished(job)['result']['export_id']}"
    manifest = desk.http.get(url).json()["manifest"]
    assert manifest["annotations"] == 0
    assert "no pose is accepted" in manifest["warnings"][0]
    refused = desk.http.post(f"/projects/{desk.project['id']}/trainings", json={"include": ["accepted"]})
    assert refused.status_code == 409


def test_an_export_is_judged_by_the_labels_of_its_own_time(desk, run):
    job = desk.http.post(f"/projects/{desk.project['id']}/exports", json={}).json()
    delete(desk, 20)
    url = f"/exports/{desk.service.finished(job)['result']['export_id']}"
    manifest = desk.http.get(url).json()["manifest"]
    assert (manifest["annotations"], manifest["stale_left_out"], manifest["warnings"]) == (45, 0, [])
    job = desk.http.post(f"/projects/{desk.project['id']}/exports", json={}).json()
    url = f"/exports/{desk.service.finished(job)['result']['export_id']}"
    manifest = desk.http.get(url).json()["manifest"]
    assert manifest["stale_left_out"] == 38
    assert "stale points of 38 poses" in manifest["warnings"][0]


def test_the_past_is_judged_by_the_labels_of_that_time(desk, run):
    before = poses(desk)
    revision = delete(desk, 20) - 1
    assert poses(desk, revision=revision) == before
    assert poses(desk) != before


def test_a_point_that_is_said_to_be_absent_contradicts_the_poses_around_it(desk, run):
    label = {"frame_index": 10, "track_id": 1, "absent": [1]}
    revision = desk.http.put(f"{desk.url}/labels", json={"labels": [label]}).json()["revision"]
    assert stale(desk, run) == [{"track_id": 1, "start": 1, "stop": 20, "keypoints": [1]}]
    shown = poses(desk)
    assert shown[9]["stale_keypoints"] == [1]
    assert shown[10]["absent"] == [1]
    assert "stale" not in shown[10]
    desk.undo(revision)
    assert stale(desk, run) == []


def test_an_absence_that_is_taken_back_counts_as_a_label(desk):
    desk.label(1, 0, 40)
    label = {"frame_index": 20, "track_id": 1, "absent": True}
    desk.http.put(f"{desk.url}/labels", json={"labels": [label]})
    run = desk.propagate()
    delete(desk, 20)
    assert stale(desk, run) == [{"track_id": 1, "start": 1, "stop": 40, "keypoints": None}]
