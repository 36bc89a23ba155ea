"""That a subject or a point is absent is a label of its own, with a history like that of places."""

from __future__ import annotations

import pytest

from app.settings import Settings
from pose.skeleton import Skeleton

HERE = [[1, 1, 2], [2, 2, 1], [3, 3, 2]]
NOWHERE = [[0, 0, 0]] * 3


class Desk:
    """A video with two tracks of three keypoints."""

    def __init__(self, service, project, video):
        self.http, self.project, self.url = service.http, project, f"/videos/{video['id']}/labels"

    def put(self, *labels, **headers):
        """Write labels of track 1, each a frame and fields."""
        rows = [{"frame_index": frame, "track_id": 1, **fields} for frame, fields in labels]
        return self.http.put(self.url, json={"labels": rows}, headers=headers)

    def read(self, **query):
        """What each frame of track 1 shows: keypoints, and what is absent."""
        labels = self.http.get(self.url, params=query).json()["labels"]
        return {label["frame_index"]: (label["keypoints"], label.get("absent")) for label in labels}

    def delete(self, frame, **query):
        return self.http.delete(self.url, params={"frame_index": frame, "track_id": 1, **query})

    def undo(self, revision):
        return self.http.post(f"{self.url}/revisions/{revision}/undo")


@pytest.fixture(scope="module")
def office(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("office"), port=0))


@pytest.fixture
def desk(office, walker):
    project = office.project(Skeleton(name="three", keypoints=("a", "b", "c")))
    video = office.upload(project, walker.path)
    for _ in range(2):
        office.track(video)
    return Desk(office, project, video)


def test_a_subject_is_absent(desk):
    assert desk.put((5, {"absent": True})).json() == {"revision": 1, "written": 1}
    assert desk.read() == {5: (NOWHERE, True)}


def test_points_are_absent_while_others_have_a_place(desk):
    some = [[1, 1, 2], [0, 0, 0], [0, 0, 0]]
    desk.put((5, {"keypoints": some, "absent": [2]}))
    assert desk.read() == {5: (some, [2])}


def test_all_points_absent_are_an_absent_subject(desk):
    desk.put((5, {"absent": [0]}), (6, {"absent": [2, 0, 1]}))
    assert desk.read() == {5: (NOWHERE, [0]), 6: (NOWHERE, True)}
    desk.put((5, {"absent": [1, 2]}))
    assert desk.read()[5] == (NOWHERE, True)


def test_every_track_of_a_frame_can_be_absent(desk):
    rows = [{"frame_index": 7, "track_id": number, "absent": True} for number in (1, 2)]
    assert desk.http.put(desk.url, json={"labels": rows}).json()["written"] == 2
    shown = desk.http.get(desk.url).json()["labels"]
    assert [(label["track_id"], label["absent"], label["source"]) for label in shown] == [
        (1, True, "human"),
        (2, True, "human"),
    ]


def test_a_place_replaces_an_absence_and_the_other_way_round(desk):
    desk.put((5, {"absent": True}))
    desk.put((5, {"keypoints": [[1, 1, 2], [0, 0, 0], [0, 0, 0]]}))
    assert desk.read() == {5: ([[1, 1, 2], [0, 0, 0], [0, 0, 0]], [1, 2])}
    desk.put((5, {"keypoints": HERE}))
    assert desk.read() == {5: (HERE, None)}
    desk.put((5, {"absent": [1]}))
    assert desk.read() == {5: ([[1, 1, 2], [0, 0, 0], [3, 3, 2]], [1])}
    desk.put((5, {"absent": True}))
    assert desk.read() == {5: (NOWHERE, True)}


def test_the_past_can_be_read(desk):
    desk.put((5, {"keypoints": HERE}))
    desk.put((5, {"absent": True}))
    desk.put((5, {"keypoints": HERE}))
    assert [desk.read(revision=number) for number in range(4)] == [
        {},
        {5: (HERE, None)},
        {5: (NOWHERE, True)},
        {5: (HERE, None)},
    ]


def test_deleting_takes_the_statement_back(desk):
    desk.put((5, {"absent": True}))
    assert desk.delete(5).json() == {"revision": 2, "written": 1}
    assert desk.read() == {}
    assert desk.delete(5).json() == {"revision": 2, "written": 0}
    assert desk.read(revision=1) == {5: (NOWHERE, True)}


def test_deleting_a_point_takes_back_its_statement_alone(desk):
    desk.put((5, {"absent": True}))
    desk.delete(5, keypoint=1)
    assert desk.read() == {5: (NOWHERE, [0, 2])}


def test_undo_puts_back_what_stood_before(desk):
    desk.put((5, {"keypoints": HERE}), (6, {"absent": [0]}))
    gone = desk.put((5, {"absent": True}), (6, {"keypoints": HERE}), (7, {"absent": True})).json()["revision"]
    undone = desk.undo(gone).json()
    assert undone["written"] == 3
    assert desk.read() == {5: (HERE, None), 6: (NOWHERE, [0])}
    desk.undo(undone["revision"])
    assert desk.read() == {5: (NOWHERE, True), 6: (HERE, None), 7: (NOWHERE, True)}


def test_undo_leaves_a_later_absence_alone(desk):
    first = desk.put((5, {"keypoints": HERE})).json()["revision"]
    desk.put((5, {"absent": [1]}))
    assert desk.undo(first).json()["written"] == 1
    assert desk.read() == {5: (NOWHERE, [1])}


def test_a_subject_that_is_absent_lacks_keypoints_that_are_added_later(desk):
    desk.put((5, {"absent": True}), (6, {"absent": [0, 1]}))
    skeleton = {"name": "four", "keypoints": ["a", "b", "c", "d"]}
    changed = desk.http.patch(f"/projects/{desk.project['id']}", json={"skeleton": skeleton})
    assert changed.status_code == 200, changed.text
    assert desk.read() == {5: ([[0, 0, 0]] * 4, True), 6: ([[0, 0, 0]] * 4, [0, 1])}
    assert desk.undo(1).json()["written"] == 2
    assert desk.read() == {}


def test_an_absence_is_refused_where_somebody_was_faster(desk, refused):
    desk.put((5, {"absent": [1]}))
    answer = desk.put((5, {"keypoints": HERE}), **{"If-Match": "0"})
    problem = refused(answer, 412)
    (conflict,) = problem["conflicts"]
    assert conflict["theirs_absent"] == [1]
    assert "yours_absent" not in conflict
    problem = refused(desk.put((5, {"absent": True}), **{"If-Match": "0"}), 412)
    assert problem["conflicts"][0]["yours_absent"] is True
    assert desk.put((5, {"absent": True}), **{"If-Match": "1"}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"keypoints": HERE, "absent": True}, "/labels/0/absent"),
        ({"keypoints": HERE, "absent": [0]}, "/labels/0/absent/0"),
        ({"keypoints": [[0, 0, 0], [2, 2, 1], [0, 0, 0]], "absent": [0, 1]}, "/labels/0/absent/1"),
        ({"absent": [3]}, "/labels/0/absent/0"),
        ({"absent": [0, -1]}, "/labels/0/absent/1"),
        ({"absent": [0.5]}, "/labels/0/absent/0"),
        ({"absent": "yes"}, "/labels/0/absent"),
        ({"absent": None}, "/labels/0/absent"),
        ({"absent": 1}, "/labels/0/absent"),
        ({"absent": []}, "/labels/0/keypoints"),
        ({"absent": False}, "/labels/0/keypoints"),
        ({"keypoints": None, "absent": True}, "/labels/0/keypoints"),
        ({"keypoints": [], "absent": True}, "/labels/0/keypoints"),
        ({"keypoints": NOWHERE}, "/labels/0/keypoints"),
        ({}, "/labels/0/keypoints"),
    ],
)
def test_what_is_no_absence_is_refused(desk, refused, fields, pointer):
    refused(desk.put((5, fields), (6, {"keypoints": HERE})), 422, pointer)
    assert desk.read() == {}


def test_no_machine_s_pose_is_shown_where_something_is_absent(office, desk):
    some = [[1, 1, 2], [2, 2, 2], [3, 3, 2]]
    desk.put((0, {"keypoints": some}), (30, {"keypoints": some}))
    run = desk.url.removesuffix("/labels") + "/propagations"
    office.finished(desk.http.post(run, json={"engine": "linear"}).json())
    assert len(desk.read(layer="merged")) == 45
    desk.put((10, {"absent": True}), (20, {"absent": True}), (25, {"absent": [1]}))
    for layer in ("merged", "pseudo"):
        shown = desk.read(layer=layer)
        between = [frame for frame in shown if 10 < frame < 20]
        assert between == []
        assert shown[9][0] == shown[27][0] == some
        assert shown[25][0] == [[1, 1, 2], [0, 0, 0], [3, 3, 2]]
    merged = desk.read(layer="merged")
    assert merged[10] == merged[20] == (NOWHERE, True)
    assert merged[25][1] == [1]
    labels = desk.http.get(desk.url, params={"layer": "merged"}).json()["labels"]
    source = {label["frame_index"]: label["source"] for label in labels}
    assert (source[9], source[10], source[25]) == ("pseudo", "human", "pseudo")
    # Windows that begin between two absences know of both.
    assert desk.read(layer="merged", start=12, stop=18) == {}
    assert len(desk.read(layer="merged", revision=1)) == 45


def test_a_propagation_leaves_absent_frames_empty(office, desk):
    some = [[1, 1, 2], [2, 2, 2], [3, 3, 2]]
    desk.put((0, {"keypoints": some}), (10, {"absent": True}), (20, {"absent": True}), (30, {"keypoints": some}))
    run = desk.url.removesuffix("/labels") + "/propagations"
    job = office.finished(desk.http.post(run, json={"engine": "linear"}).json())
    assert job["state"] == "succeeded", job
    assert [*desk.read(layer="pseudo")] == [*range(10), *range(21, 45)]
    # What depends on no absence is not computed anew.
    desk.delete(20)
    again = office.finished(desk.http.post(run, json={"engine": "linear"}).json())
    url = f"/runs/{again['result']['run_id']}"
    assert desk.http.get(url).json()["segments"] == 3
    assert [*desk.read(layer="pseudo")] == [*range(10), *range(11, 45)]


def test_absences_move_with_their_track(desk):
    desk.put((5, {"absent": True}), (6, {"keypoints": HERE}))
    tracks = desk.url.removesuffix("/labels") + "/tracks"
    swapped = desk.http.post(f"{tracks}/swap", json={"a": 1, "b": 2}).json()["revision"]
    shown = desk.http.get(desk.url).json()["labels"]
    assert [(label["track_id"], label.get("absent")) for label in shown] == [(2, True), (2, None)]
    desk.undo(swapped)
    assert desk.read() == {5: (NOWHERE, True), 6: (HERE, None)}
    deleted = desk.http.delete(f"{tracks}/1").json()["revision"]
    assert desk.read() == {}
    desk.undo(deleted)
    assert desk.read() == {5: (NOWHERE, True), 6: (HERE, None)}
