"""Tracks are renamed, deleted, swapped, merged and split in one revision each, which one call undoes."""

from __future__ import annotations

import random

import pytest

from tests.app.desk import pose


def test_a_track_is_renamed_and_the_renaming_undone(desk):
    answer = desk.http.patch(f"{desk.url}/tracks/2", json={"name": "bo"})
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["name"]) == (2, "bo")
    assert answer.headers["etag"] == f'"{answer.json()["revision"]}"'
    assert desk.tracks() == {1: "anna", 2: "bo", 3: "cleo"}
    assert desk.undo(answer.json()["revision"]).json()["written"] == 0
    assert desk.tracks() == {1: "anna", 2: "ben", 3: "cleo"}


def test_a_track_that_has_the_name_already_is_left_alone(desk):
    revision = desk.label(1, 0)
    assert desk.http.patch(f"{desk.url}/tracks/2", json={"name": "ben"}).json()["revision"] == revision


def test_a_deleted_track_is_gone_with_its_labels_and_comes_back_with_them(desk):
    desk.label(1, 0, 10)
    desk.label(2, 0, 20)
    before = desk.read()
    gone = desk.http.delete(f"{desk.url}/tracks/2").json()
    assert gone["written"] == 2
    assert desk.tracks() == {1: "anna", 3: "cleo"}
    assert desk.tracks(deleted=1) == {1: "anna", 2: "ben", 3: "cleo"}
    assert {track for track, _ in desk.read()} == {1}
    assert desk.http.delete(f"{desk.url}/tracks/2").status_code == 404
    assert desk.http.patch(f"{desk.url}/tracks/2", json={"name": "x"}).status_code == 404
    assert desk.undo(gone["revision"]).json()["written"] == 2
    assert desk.tracks() == {1: "anna", 2: "ben", 3: "cleo"}
    assert desk.read() == before


def test_the_number_of_a_deleted_track_is_not_given_again(desk, refused):
    desk.label(3, 0)
    desk.http.delete(f"{desk.url}/tracks/3")
    assert desk.service.track(desk.video, "dora")["id"] == 4
    label = {"frame_index": 1, "track_id": 3, "keypoints": pose(3, 1)}
    refused(desk.http.put(f"{desk.url}/labels", json={"labels": [label]}), 422, "/labels/0/track_id")
    refused(desk.http.post(f"{desk.url}/propagations", json={"tracks": [3]}), 422, "/tracks/0")
    document = {
        "images": [{"id": 1, "file_name": "1.png", "width": 320, "height": 240, "frame_index": 1}],
        "categories": [{"id": 1, "name": "m", "keypoints": ["a", "b"]}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "track_id": 3, "keypoints": [1, 1, 2, 2, 2, 2]}],
    }
    assert "undo revision" in refused(desk.http.post(f"{desk.url}/labels/import", json=document), 409)["detail"]
    assert desk.read() == {}


def test_poses_of_a_deleted_track_are_not_seen(desk):
    desk.label(1, 0, 40)
    desk.label(2, 0, 40)
    desk.propagate()
    gone = desk.http.delete(f"{desk.url}/tracks/2").json()["revision"]
    for layer in ("pseudo", "merged"):
        assert {track for track, _ in desk.read(layer=layer)} == {1}
        assert {track for track, _ in desk.read(layer=layer, revision=gone - 1)} == {1, 2}
    desk.undo(gone)
    assert {track for track, _ in desk.read(layer="pseudo")} == {1, 2}
    assert {track for track, _ in desk.read(layer="pseudo", revision=gone)} == {1}


def test_a_swap_moves_whole_poses(desk):
    """A point that is not labelled moves as well: by PUT, where v = 0 says nothing, two animals became one."""
    half = pose(1, 10, known=(True, False))
    desk.put((0, 1, pose(1, 0)), (10, 1, half), (20, 1, pose(1, 20)))
    desk.put((0, 2, pose(2, 0)), (10, 2, pose(2, 10)), (30, 2, pose(2, 30)))
    swapped = desk.edit("swap", a=1, b=2, start=10, stop=30)
    assert swapped.status_code == 200, swapped.text
    assert swapped.json()["written"] == 3
    assert desk.read() == {
        (1, 0): pose(1, 0),
        (1, 10): pose(2, 10),
        (2, 0): pose(2, 0),
        (2, 10): half,
        (2, 20): pose(1, 20),
        (2, 30): pose(2, 30),
    }


def test_what_is_absent_moves_with_the_track(desk, refused):
    desk.label(1, 0)
    desk.label(2, 0, 10)
    gone = {"frame_index": 10, "track_id": 1, "absent": True}
    part = {"frame_index": 20, "track_id": 1, "absent": [1]}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [gone, part]}).is_success

    def absent():
        labels = desk.http.get(f"{desk.url}/labels").json()["labels"]
        return {(row["track_id"], row["frame_index"]): row["absent"] for row in labels if "absent" in row}

    before = desk.http.get(f"{desk.url}/labels").json()["labels"]
    assert absent() == {(1, 10): True, (1, 20): [1]}
    swapped = desk.edit("swap", a=1, b=2).json()
    assert swapped["written"] == 5
    assert absent() == {(2, 10): True, (2, 20): [1]}
    assert refused(desk.edit("merge", **{"from": 2, "into": 1}), 409)["conflicts"] == [
        {"frame_index": 0},
        {"frame_index": 10},
    ]
    desk.edit("split", track=2, start=20)
    assert absent() == {(2, 10): True, (4, 20): [1]}
    desk.undo(swapped["revision"] + 1)
    desk.undo(swapped["revision"])
    shown = desk.http.get(f"{desk.url}/labels").json()["labels"]
    assert [{**row, "revision": 0} for row in shown] == [{**row, "revision": 0} for row in before]


def test_a_merge_deletes_the_track_that_went_into_another(desk):
    desk.label(1, 0, 10)
    desk.label(2, 20, 30)
    before = desk.read()
    merged = desk.edit("merge", **{"from": 2, "into": 1}).json()
    assert merged["written"] == 2
    assert desk.tracks() == {1: "anna", 3: "cleo"}
    assert desk.read() == {(1, 0): pose(1, 0), (1, 10): pose(1, 10), (1, 20): pose(2, 20), (1, 30): pose(2, 30)}
    desk.undo(merged["revision"])
    assert desk.read() == before
    assert desk.tracks() == {1: "anna", 2: "ben", 3: "cleo"}


def test_a_merge_of_some_frames_leaves_the_track(desk):
    desk.label(2, 10, 20, 30)
    assert desk.edit("merge", **{"from": 2, "into": 1, "start": 15, "stop": 25}).json()["written"] == 1
    assert {*desk.read()} == {(2, 10), (1, 20), (2, 30)}
    assert 2 in desk.tracks()


@pytest.mark.parametrize("prefer", ["from", "into", 2, 1])
def test_whose_pose_stands_where_both_are_labelled(desk, refused, prefer):
    desk.label(1, 0, 10, 20)
    desk.label(2, 20, 30)
    desk.put((0, 2, pose(1, 0)))  # the same as the other's: no conflict
    before, revisions = desk.read(), len(desk.http.get(f"{desk.url}/labels/revisions").json()["items"])
    body = {"from": 2, "into": 1}
    problem = refused(desk.edit("merge", **body), 409, "/prefer")
    assert problem["conflicts"] == [{"frame_index": 20}]
    assert "frame 20" in problem["detail"]
    assert desk.read() == before
    assert len(desk.http.get(f"{desk.url}/labels/revisions").json()["items"]) == revisions
    assert desk.edit("merge", **body, prefer=prefer).status_code == 200
    after = desk.read()
    assert after[1, 20] == pose(2 if prefer in ("from", 2) else 1, 20)
    assert {*after} == {(1, 0), (1, 10), (1, 20), (1, 30)}


def test_a_preferred_pose_stands_whole(desk):
    desk.put((5, 1, pose(1, 5)))
    desk.put((5, 2, pose(2, 5, known=(True, False))))
    desk.edit("merge", **{"from": 2, "into": 1, "prefer": "from"})
    assert desk.read() == {(1, 5): pose(2, 5, known=(True, False))}


def test_a_split_makes_a_new_track(desk):
    desk.label(1, 0, 10, 20)
    made = desk.edit("split", track=1, start=10)
    assert made.status_code == 201
    assert (made.json()["id"], made.json()["name"], made.json()["written"]) == (4, "track 4", 2)
    assert desk.read() == {(1, 0): pose(1, 0), (4, 10): pose(1, 10), (4, 20): pose(1, 20)}
    desk.undo(made.json()["revision"])
    assert {*desk.read()} == {(1, 0), (1, 10), (1, 20)}
    assert desk.tracks() == {1: "anna", 2: "ben", 3: "cleo"}
    assert desk.edit("split", track=1, start=20, name="dora").json()["id"] == 5
    assert desk.tracks()[5] == "dora"


def test_a_track_that_was_labelled_since_its_split_is_not_deleted_by_the_undo(desk):
    desk.label(1, 0, 10)
    made = desk.edit("split", track=1, start=10).json()
    since = desk.label(4, 30)
    desk.undo(made["revision"])
    assert {*desk.read()} == {(1, 0), (1, 10), (4, 30)}
    assert 4 in desk.tracks()
    desk.undo(since)
    assert 4 in desk.tracks()


def test_a_label_that_an_undo_brings_back_brings_its_track_back(desk):
    desk.label(1, 0, 10)
    made = desk.edit("split", track=1, start=10).json()
    undone = desk.undo(desk.label(4, 30)).json()["revision"]
    desk.undo(made["revision"])
    assert 4 not in desk.tracks()
    desk.undo(undone)
    assert desk.read()[4, 30] == pose(4, 30)
    assert 4 in desk.tracks()


def test_a_frame_that_was_labelled_since_is_not_put_back_in_part(desk):
    desk.label(1, 0, 10)
    desk.label(2, 0, 10)
    swapped = desk.edit("swap", a=1, b=2).json()["revision"]
    desk.put((10, 1, [[7, 7, 2], [0, 0, 0]]))
    undone = desk.undo(swapped).json()
    assert (undone["written"], undone["kept"]) == (2, 2)
    assert desk.read() == {
        (1, 0): pose(1, 0),
        (2, 0): pose(2, 0),
        (1, 10): [[7, 7, 2], pose(2, 10)[1]],
        (2, 10): pose(1, 10),
    }


def test_undoing_what_was_before_a_swap_makes_no_chimera(desk, refused):
    desk.label(1, 10)
    taken = desk.http.delete(f"{desk.url}/labels", params={"frame_index": 10, "track_id": 1, "keypoint": 0}).json()
    desk.put((10, 2, pose(2, 10, known=(False, True))))
    desk.edit("swap", a=1, b=2)
    before = desk.read()
    refused(desk.undo(taken["revision"]), 409)
    assert desk.read() == before


BAD = [
    ("swap", {"a": 1, "b": 1}, "/b"),
    ("swap", {"a": 1, "b": 9}, "/b"),
    ("swap", {"a": 9, "b": 1}, "/a"),
    ("swap", {"a": 1, "b": 2, "start": 20, "stop": 20}, "/start"),
    ("swap", {"a": 1, "b": 2, "start": 30, "stop": 20}, "/start"),
    ("swap", {"a": 1, "b": 2, "stop": 46}, "/stop"),
    ("swap", {"a": 1, "b": 2, "start": 41}, "/start"),
    ("swap", {"a": 1}, "/b"),
    ("swap", {"a": 1, "b": 2, "surprise": 1}, "/surprise"),
    ("swap", {"a": 1, "b": 0}, "/b"),
    ("swap", {"a": 1, "b": 2, "start": -1}, "/start"),
    ("merge", {"from": 1, "into": 1}, "/into"),
    ("merge", {"from": 9, "into": 1}, "/from"),
    ("merge", {"from": 1, "into": 9}, "/into"),
    ("merge", {"from": 1, "into": 2, "prefer": 3}, "/prefer"),
    ("merge", {"from": 1, "into": 2, "start": 5, "stop": 5}, "/start"),
    ("merge", {"from": 1, "into": 2, "start": 41, "stop": 43}, "/start"),
    ("split", {"track": 9, "start": 1}, "/track"),
    ("split", {"track": 3, "start": 1}, "/track"),
    ("split", {"track": 1, "start": 41}, "/start"),
    ("split", {"track": 1, "start": 10**9}, "/start"),
    ("split", {"track": 1, "start": 0}, "/start"),
    ("split", {"track": 1, "start": 10, "name": ""}, "/name"),
]


def test_what_cannot_be_done_is_named_and_changes_nothing(desk, refused, everything):
    desk.label(1, 0, 10, 40)
    desk.label(2, 10)
    before = everything(desk.service)
    for act, body, pointer in BAD:
        problem = refused(desk.edit(act, **body), 422)
        assert any(entry["pointer"].startswith(pointer) for entry in problem["errors"]), (act, body, problem)
    refused(desk.http.patch(f"{desk.url}/tracks/9", json={"name": "x"}), 404)
    refused(desk.http.patch(f"{desk.url}/tracks/1", json={"name": " "}), 422, "/name")
    refused(desk.http.delete(f"{desk.url}/tracks/9"), 404)
    assert everything(desk.service) == before


def test_one_call_mends_a_bounded_number_of_labels(desk, refused, everything, monkeypatch):
    monkeypatch.setattr("app.tracks.editing.MAX_MENDED", 5)
    desk.label(1, 0, 10, 20, 30)
    desk.label(2, 0, 10)
    before = everything(desk.service)
    calls = [
        desk.edit("swap", a=1, b=2),
        desk.edit("merge", **{"from": 1, "into": 2, "prefer": "into"}),
    ]
    for answer in calls:
        problem = refused(answer, 422)
        assert "up to 5 labels" in problem["detail"]
        assert "tracks 1 and 2 have more" in problem["detail"]
    assert everything(desk.service) == before
    assert desk.edit("swap", a=1, b=2, start=0, stop=20).json()["written"] == 4
    assert desk.http.delete(f"{desk.url}/tracks/1").status_code == 200  # four labels
    monkeypatch.setattr("app.tracks.editing.MAX_MENDED", 1)
    assert "track 2 has more" in refused(desk.edit("split", track=2, start=10), 422)["detail"]
    assert "track 2 has more" in refused(desk.http.delete(f"{desk.url}/tracks/2"), 422)["detail"]


def test_an_undo_looks_at_a_bounded_number_of_labels(desk, refused, monkeypatch):
    first = desk.label(1, 0, 10)
    second = desk.label(2, 5)
    before = desk.read()
    third = desk.label(1, 0, 10, 20)
    monkeypatch.setattr("app.labels.undo.MAX_READ", 3)
    assert "more than 3 labels" in refused(desk.undo(first), 409)["detail"]
    assert desk.undo(second).json()["written"] == 1  # much was written since, but not there
    monkeypatch.setattr("app.labels.undo.MAX_READ", 5)
    assert desk.undo(third).json()["written"] == 3
    assert desk.read() == {place: points for place, points in before.items() if place[0] == 1}


def test_somebody_was_faster(desk, refused):
    seen = desk.label(1, 0, 10)
    desk.label(2, 10)
    late = {"If-Match": f'"{seen}"'}
    problem = refused(desk.edit("swap", late, a=1, b=2), 412, "/if-match")
    (conflict,) = problem["conflicts"]
    assert (conflict["frame_index"], conflict["track_id"]) == (10, 2)
    assert (conflict["yours"], conflict["theirs"]) == (pose(1, 10), pose(2, 10))
    refused(desk.edit("merge", late, **{"from": 1, "into": 3}), 412, "/if-match")
    refused(desk.edit("split", late, track=1, start=10), 412, "/if-match")
    refused(desk.http.delete(f"{desk.url}/tracks/1", headers=late), 412, "/if-match")
    refused(desk.http.patch(f"{desk.url}/tracks/1", json={"name": "x"}, headers=late), 412, "/if-match")
    assert desk.edit("swap", {"If-Match": f'"{seen + 1}"'}, a=1, b=2).status_code == 200


def test_a_repeated_request_acts_once(desk):
    desk.label(1, 0, 10)
    once = {"Idempotency-Key": f"split {desk.url}"}
    answers = [desk.edit("split", once, track=1, start=10) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len(desk.tracks()) == 4


def test_each_act_is_written_down(desk):
    desk.label(1, 0, 10)
    desk.label(2, 20)
    desk.http.patch(f"{desk.url}/tracks/3", json={"name": "x"})
    desk.edit("split", track=1, start=10)
    desk.edit("swap", a=1, b=2)
    desk.edit("merge", **{"from": 4, "into": 1})
    desk.http.delete(f"{desk.url}/tracks/2")
    trail = desk.http.get("/audit", params={"video_id": desk.video["id"]}).json()["items"]
    kinds = [entry["kind"] for entry in trail if entry["kind"] not in ("track.create", "video.upload", "labels.write")]
    assert kinds[::-1] == ["track.rename", "track.split", "track.swap", "track.merge", "track.delete"]
    assert all(entry["details"]["revision"] for entry in trail if entry["kind"] in kinds)
    listed = [entry["kind"] for entry in desk.http.get(f"{desk.url}/labels/revisions").json()["items"]]
    assert listed[2:] == [
        *("rename track 3", "split track 1 at 10", "swap tracks 1 and 2", "merge track 4 into 1", "delete track 2")
    ]


@pytest.mark.parametrize("seed", range(3))
def test_undoing_acts_one_by_one_gives_the_same_bytes(desk, seed):
    draw = random.Random(seed)
    for track in (1, 2, 3):
        for frame in draw.sample(range(45), 6):
            known = draw.choice([(True, True), (True, False), (False, True)])
            desk.put((frame, track, pose(track, frame, known=known)))
    desk.propagate()
    exports, done = [desk.export()], []
    while len(done) < 8:
        answer = _act(desk, draw)
        if answer.is_success:
            done.append(answer.json()["revision"])
            exports.append(desk.export() if len(done) % 4 == 0 else b"")
    names = desk.tracks()
    while done:
        after = exports.pop()
        assert after in (b"", desk.export())
        assert desk.undo(done.pop()).status_code == 200
    assert desk.export() == exports.pop()
    assert desk.tracks() == {1: "anna", 2: "ben", 3: "cleo"}
    assert names != desk.tracks()


def _act(desk, draw):
    numbers = [*desk.tracks(), 1]
    one, other = draw.choice(numbers), draw.choice(numbers)
    start, stop = sorted(draw.sample(range(46), 2))
    span = draw.choice([{}, {"start": start, "stop": stop}])
    act = draw.choice(["swap", "swap", "merge", "merge", "split", "rename", "delete", "label"])
    if act == "swap":
        return desk.edit("swap", a=one, b=other, **span)
    if act == "merge":
        return desk.edit("merge", **{"from": one, "into": other, "prefer": draw.choice(["from", "into"])}, **span)
    if act == "split":
        return desk.edit("split", track=one, start=start)
    if act == "rename":
        return desk.http.patch(f"{desk.url}/tracks/{one}", json={"name": f"named {draw.random()}"})
    if act == "delete":
        return desk.http.delete(f"{desk.url}/tracks/{one}")
    label = {"frame_index": start, "track_id": one, "keypoints": pose(7, start, known=(True, False))}
    return desk.http.put(f"{desk.url}/labels", json={"labels": [label]})
