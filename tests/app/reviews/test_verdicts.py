"""What people say of a machine's poses: it counts for the poses they looked at, and undoes."""

from __future__ import annotations

import pytest

from app.database import connect
from app.errors import Conflict
from app.labels import windows
from app.reviews import service
from app.reviews.schemas import ReviewIn
from app.storage import open_storage
from app.tables import Video
from tests.app.desk import pose

BAD = [
    ({"start": 9, "stop": 9}, "/start"),
    ({"start": 9, "stop": 46}, "/stop"),
    ({"start": -1, "stop": 5}, "/start"),
    ({"track_id": 9}, "/track_id"),
    ({"track_id": 0}, "/track_id"),
    ({"keypoints": []}, "/keypoints"),
    ({"keypoints": [0, 2]}, "/keypoints/1"),
    ({"verdict": "perhaps"}, "/verdict"),
    ({"verdict": "undo"}, "/verdict"),
    ({"max_radius90": 0}, "/max_radius90"),
    ({"max_radius90": -3}, "/max_radius90"),
    ({"max_radius90": 5, "verdict": "reject"}, "/max_radius90"),
    ({"run_id": 0}, "/run_id"),
    ({"surprise": 1}, "/surprise"),
]


@pytest.mark.parametrize(("change", "pointer"), BAD)
def test_what_is_no_review(desk, reviewer, run, refused, everything, change, pointer):
    before = everything(desk.service)
    body = {"start": 3, "stop": 9, "verdict": "accept", **change}
    refused(desk.http.post(reviewer.url, json=body), 422, pointer)
    assert everything(desk.service) == before


def test_accepted_poses_are_told_from_a_machine_s_others(reviewer, run):
    made = reviewer.say("accept", 5, 25)
    assert (made["id"], made["verdict"], made["start"], made["stop"]) == (1, "accept", 5, 25)
    assert (made["poses"], made["left_out"]) == (19, 1)  # frame 20 is a person's
    shown = reviewer.shown()
    assert reviewer.accepted() == [frame for frame in range(5, 25) if frame != 20]
    assert shown[4]["source"] == shown[25]["source"] == "pseudo"
    assert shown[20]["source"] == "human"
    widest = max(max(shown[frame]["keypoint_radius90"]) for frame in reviewer.accepted())
    assert made["radius90"] == pytest.approx(widest, abs=0.01)
    (listed,) = reviewer.listed()
    assert listed == {name: value for name, value in made.items() if name not in ("poses", "left_out")}
    assert (listed["undone"], listed["outdated"], listed["key_id"]) == (False, [], 1)


def test_only_what_is_within_the_bound_is_accepted(reviewer, run):
    radii = {frame: max(label["keypoint_radius90"]) for frame, label in reviewer.shown().items() if "score" in label}
    bound = sorted(radii.values())[len(radii) // 2]
    made = reviewer.say("accept", 0, 45, max_radius90=bound)
    within = sorted(frame for frame, radius in radii.items() if radius <= bound)
    assert 0 < len(within) < len(radii)
    assert made["radius90"] == bound
    assert set(reviewer.accepted()) >= {*within[1:-1]}
    assert all(radii[frame] <= bound + 0.01 for frame in reviewer.accepted())


def test_one_track_or_some_keypoints_alone(desk, reviewer):
    desk.label(1, 0, 40)
    desk.label(2, 0, 40)
    desk.propagate()
    reviewer.say("accept", 5, 10, track_id=2)
    assert (reviewer.accepted(1), reviewer.accepted(2)) == ([], [5, 6, 7, 8, 9])
    reviewer.say("accept", 7, 8, track_id=1, keypoints=[1])
    assert reviewer.shown(1)[7]["keypoint_sources"] == ["pseudo", "accepted"]
    assert reviewer.shown(1)[7]["source"] == "pseudo"


def test_the_last_verdict_counts_and_an_undo_gives_back_what_stood_before(reviewer, run, refused):
    reviewer.say("accept", 1, 20)
    second = reviewer.say("reject", 8, 12)
    assert reviewer.rejected() == [8, 9, 10, 11]
    assert not {8, 9, 10, 11} & {*reviewer.accepted()}
    undone = reviewer.undo(second["id"])
    assert undone.status_code == 201
    assert (undone.json()["verdict"], undone.json()["undoes"], undone.json()["id"]) == ("undo", 2, 3)
    assert reviewer.rejected() == []
    assert reviewer.accepted() == [*range(1, 20)]
    assert [act["undone"] for act in reviewer.listed()] == [False, True, False]
    refused(reviewer.undo(second["id"]), 409)
    refused(reviewer.undo(77), 404)
    reviewer.undo(3)  # an undo can be undone
    assert reviewer.rejected() == [8, 9, 10, 11]
    assert [act["undone"] for act in reviewer.listed()] == [False, False, True, False]


def test_the_same_request_twice_is_one_act(desk, reviewer, run):
    once = {"headers": {"Idempotency-Key": "one"}}
    first = reviewer.send("accept", 1, 20, **once)
    desk.http.delete(f"/runs/{run}")
    again = reviewer.send("accept", 1, 20, **once)
    assert again.status_code == first.status_code == 201
    assert again.json() == first.json()
    assert len(reviewer.listed()) == 1


def test_there_must_be_something_to_review(desk, reviewer, refused):
    refused(reviewer.send("accept", 0, 9), 409)
    desk.label(1, 0, 20, 40)
    refused(reviewer.send("accept", 0, 9), 409)
    desk.propagate()
    refused(reviewer.send("accept", 20, 21), 409)  # a person's
    refused(reviewer.send("accept", 0, 45, max_radius90=1e-3), 409)
    refused(reviewer.send("accept", 0, 9, track_id=2), 409)


def test_a_newer_run_that_shows_something_else_was_not_looked_at(desk, reviewer, run):
    reviewer.say("accept", 0, 45)
    desk.put((30, 1, [[9, 9, 2], [9, 9, 2]]))
    second = desk.propagate()
    # From the label before the new one to the one after it there are other poses; elsewhere they are the same ones.
    assert reviewer.accepted() == [frame for frame in range(1, 45) if frame < 20 or frame > 40]
    (act,) = reviewer.listed()
    assert act["outdated"] == [{"track_id": 1, "start": 20, "stop": 40, "reason": "run"}]
    desk.http.delete(f"/runs/{second}")
    assert [frame for frame in (25, 35) if frame in reviewer.accepted()] == [25, 35]
    assert reviewer.listed()[0]["outdated"] == []


def test_what_came_after_the_look_is_not_judged(desk, reviewer, run, refused):
    desk.label(1, 30)
    second = desk.propagate(start=25, stop=35)
    made = reviewer.say("accept", 15, 45, run_id=run)
    assert made["outdated"] == []
    assert {*reviewer.accepted()} == {*range(15, 20), *range(21, 25), *range(35, 40), *range(41, 45)}
    refused(reviewer.send("accept", 26, 29, run_id=run), 409)
    assert reviewer.say("accept", 26, 29, run_id=second)["poses"] == 3


def test_a_changed_keyframe_takes_the_acceptance_with_it(desk, reviewer, run):
    reviewer.say("accept", 0, 45)
    moved = desk.put((20, 1, [[7, 7, 2], [7, 7, 2]]))
    assert {*reviewer.accepted()} == {41, 42, 43, 44}
    (act,) = reviewer.listed()
    assert act["outdated"] == [{"track_id": 1, "start": 1, "stop": 40, "reason": "labels"}]
    desk.undo(moved)
    assert len(reviewer.accepted()) == 42
    assert reviewer.listed()[0]["outdated"] == []


def test_a_person_s_label_stands_above_any_verdict(desk, reviewer, run):
    reviewer.say("reject", 0, 45)
    desk.label(1, 10)
    shown = reviewer.shown()
    assert shown[10]["source"] == "human"
    assert "rejected" not in shown[10]
    assert 9 in reviewer.rejected()


def test_accepted_poses_are_exported_as_such(reviewer, run):
    reviewer.say("accept", 5, 15)
    reviewer.say("accept", 30, 31, keypoints=[0])
    rows = reviewer.exported(include=["accepted"])
    assert {*rows} == {*range(5, 15), 30}
    assert {row["source"] for row in rows.values()} == {"accepted"}
    assert rows[30]["keypoints"][5] == 0
    assert rows[7]["keypoint_radius90"]
    every = reviewer.exported()
    assert [every[frame]["source"] for frame in (0, 7, 30, 35)] == ["human", "accepted", "pseudo", "pseudo"]
    assert every[30]["keypoint_sources"] == ["accepted", "pseudo"]
    assert {*reviewer.exported(include=["pseudo"])} == {*range(45)} - {0, 20, 40} - {*range(5, 15)}
    assert {*reviewer.exported(include=["human", "accepted"])} == {0, 20, 40, 30, *range(5, 15)}


def test_rejected_poses_are_left_out_everywhere(desk, reviewer, run):
    reviewer.say("reject", 5, 15)
    reviewer.say("reject", 30, 31, keypoints=[0])
    rows = reviewer.exported()
    assert not {*range(5, 15)} & {*rows}
    assert rows[30]["keypoints"][2] == 0
    assert rows[30]["keypoints"][5] > 0
    job = desk.http.post(f"/projects/{desk.project['id']}/exports", json={}).json()
    manifest = desk.http.get(f"/exports/{desk.service.finished(job)['result']['export_id']}").json()["manifest"]
    assert manifest["rejected_left_out"] == 11


def test_an_export_knows_the_reviews_of_its_own_time(desk, reviewer, run):
    reviewer.say("accept", 5, 15)
    job = desk.http.post(f"/projects/{desk.project['id']}/exports", json={"include": ["accepted"]}).json()
    reviewer.say("accept", 20, 30)
    reviewer.undo(1)
    url = f"/exports/{desk.service.finished(job)['result']['export_id']}"
    assert desk.http.get(url).json()["manifest"]["annotations"] == 10


def test_a_thousand_acts_are_read_as_one(desk, reviewer, run):
    for frame in range(1, 20):
        reviewer.say("accept", frame, frame + 1)
    reviewer.say("accept", 25, 30)
    reviewer.say("reject", 27, 28)
    assert reviewer.accepted() == [*range(1, 20), 25, 26, 28, 29]
    assert reviewer.rejected() == [27]


def test_a_deleted_track_has_nothing_to_review(desk, reviewer, refused):
    desk.put((0, 1, pose(1, 0)), (40, 1, pose(1, 40)), (0, 2, pose(2, 0)), (40, 2, pose(2, 40)))
    desk.propagate()
    desk.http.delete(f"{desk.url}/tracks/2")
    refused(reviewer.send("accept", 5, 9, track_id=2), 422, "/track_id")
    assert reviewer.say("accept", 5, 9)["poses"] == 4


@pytest.mark.parametrize("most", [windows.MAX_POSES, 0])
def test_what_was_not_measured_is_not_accepted(desk, reviewer, run, workroom, monkeypatch, most):
    monkeypatch.setattr(windows, "MAX_POSES", most)
    database, storage = connect(workroom.settings.database), open_storage(workroom.settings)
    body = {"start": 0, "stop": 45, "verdict": "accept", "max_radius90": 90}
    there = ReviewIn(**body), ReviewIn(**{**body, "stop": 20})
    with database.session(readonly=True) as session:
        video = session.get_one(Video, desk.video["id"])
        both = [service.measure(session, storage, video, wanted) for wanted in there]
    desk.label(1, 30)
    desk.propagate()  # from 20 on there are other poses
    with database.session() as session:
        video = session.get_one(Video, desk.video["id"])
        with pytest.raises(Conflict, match="other poses"):
            service.add(session, video, there[0], both[0], key_id=None)
        assert service.add(session, video, there[1], both[1], key_id=None).stop == 20
    database.dispose()
    assert [act["stop"] for act in reviewer.listed()] == [20]
    assert reviewer.say("accept", 20, 45, max_radius90=90)["outdated"] == []
