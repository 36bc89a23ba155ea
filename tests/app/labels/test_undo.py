"""Undoing a revision puts back what stood before, never what somebody labelled since, and loses nothing."""

from __future__ import annotations

import pytest

from app.settings import Settings
from pose.skeleton import Skeleton

ONE, TWO, THREE = ([[n, n, 2], [n + 10, n, 1]] for n in (1, 2, 3))


class Desk:
    """A video with a track of two keypoints."""

    def __init__(self, service, video):
        self.http, self.url = service.http, f"/videos/{video['id']}/labels"

    def put(self, labels):
        """Write keypoints by frame; gives the revision."""
        rows = [{"frame_index": frame, "track_id": 1, "keypoints": points} for frame, points in labels.items()]
        return self.http.put(self.url, json={"labels": rows}).json()["revision"]

    def undo(self, revision, **headers):
        return self.http.post(f"{self.url}/revisions/{revision}/undo", headers=headers)

    def read(self, **query):
        labels = self.http.get(self.url, params=query).json()["labels"]
        return {label["frame_index"]: label["keypoints"] for label in labels}


@pytest.fixture(scope="module")
def office(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("office"), port=0))


@pytest.fixture
def desk(office, walker):
    video = office.upload(office.project(Skeleton(name="two", keypoints=("a", "b"))), walker.path)
    office.track(video)
    return Desk(office, video)


def test_a_bulk_write_is_undone_in_one_call(desk):
    desk.put({0: ONE, 1: ONE})
    before = desk.read()
    bulk = desk.put(dict.fromkeys(range(40), THREE))
    answer = desk.undo(bulk).json()
    assert answer == {"revision": bulk + 1, "written": 40, "kept": 0}
    assert desk.read() == before


def test_an_undo_can_be_undone(desk):
    desk.put({0: ONE})
    second = desk.put({0: TWO, 5: TWO})
    after = desk.read()
    undone = desk.undo(second).json()["revision"]
    assert desk.read() == {0: ONE}
    assert desk.undo(undone).json()["written"] == 2
    assert desk.read() == after


def test_what_was_labelled_since_stays(desk):
    first = desk.put({0: ONE, 1: ONE})
    desk.put({0: [[9, 9, 2], [0, 0, 0]]})
    answer = desk.undo(first).json()
    assert (answer["written"], answer["kept"]) == (2, 1)
    assert desk.read() == {0: [[9, 9, 2], [0, 0, 0]]}


def test_revisions_are_undone_one_after_another(desk):
    """What was said since and is undone itself does not stand in the way."""
    written = [desk.put({0: points}) for points in (ONE, TWO, THREE)]
    undone = [desk.undo(revision).json()["revision"] for revision in written[:0:-1]]
    assert desk.read() == {0: ONE}
    again = desk.undo(undone[1]).json()["revision"]
    assert desk.read() == {0: TWO}
    desk.undo(again)
    assert desk.undo(written[0]).json()["kept"] == 0
    assert desk.read() == {}


def test_what_was_undone_out_of_turn_stays_undone(desk, refused):
    first = desk.put({0: ONE})
    second = desk.put({0: [[9, 9, 2], [0, 0, 0]]})
    assert desk.undo(first).json()["kept"] == 1
    refused(desk.undo(first), 409)
    desk.undo(second)
    assert desk.read() == {0: [ONE[0], [0, 0, 0]]}
    desk.undo(first)
    assert desk.read() == {}


def test_a_deletion_is_undone(desk):
    desk.put({3: ONE})
    deleted = desk.http.delete(desk.url, params={"frame_index": 3, "track_id": 1}).json()["revision"]
    assert desk.read() == {}
    desk.undo(deleted)
    assert desk.read() == {3: ONE}


def test_the_past_stays_readable(desk):
    first = desk.put({0: ONE})
    desk.undo(first)
    assert desk.read(revision=first) == {0: ONE}
    kinds = [entry["kind"] for entry in desk.http.get(f"{desk.url}/revisions").json()["items"]]
    assert kinds == ["put", f"undo {first}"]


def test_what_does_not_stand_any_more_cannot_be_undone(desk, refused):
    first = desk.put({0: ONE})
    assert desk.undo(first).status_code == 200
    refused(desk.undo(first), 409)
    refused(desk.undo(99), 404)


def test_a_repeated_request_undoes_once(desk):
    first = desk.put({0: ONE})
    answers = [desk.undo(first, **{"Idempotency-Key": f"undo {first}"}).json() for _ in range(2)]
    assert answers[0] == answers[1]
