"""What to look at next: the worst first, spread out, and nothing that was looked at already."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import event

from app.database import connect
from app.keys.service import Caller, Role
from app.reviews import queue_router
from app.reviews.round_robin import Spot, deal
from app.storage import open_storage
from app.tables import Video


def queue(desk, **query):
    answer = desk.http.get(f"{desk.url}/review-queue", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def places(desk, **query):
    return [(item["frame_index"], item["track_id"]) for item in queue(desk, **query)["items"]]


@pytest.fixture
def two(desk):
    """Two tracks that were propagated."""
    for track in (1, 2):
        desk.label(track, 0, 20, 40)
    return desk.propagate()


def test_nothing_to_do_where_nothing_was_propagated(desk):
    assert queue(desk) == {"items": [], "next_cursor": None, "waiting": 0}


def test_the_worst_of_each_subject_comes_first_and_at_most_one_in_five_frames(desk, reviewer, two):
    found = queue(desk, limit=200)
    items = found["items"]
    assert found["next_cursor"] is None
    assert found["waiting"] == len(items) > 6
    assert [item["score"] for item in items] == sorted(item["score"] for item in items)
    for track in (1, 2):
        frames = sorted(item["frame_index"] for item in items if item["track_id"] == track)
        assert min(b - a for a, b in itertools.pairwise(frames)) >= 5
        shown = reviewer.shown(track)
        worst = {frame: min(label["keypoint_scores"]) for frame, label in shown.items() if "score" in label}
        # Nothing is passed over that has no worse one beside it.
        for frame, score in worst.items():
            if min(abs(frame - labelled) for labelled in (0, 20, 40)) < 5:
                assert frame not in frames
                continue
            assert any(abs(frame - one) < 5 and worst[one] <= score + 1e-4 for one in frames), frame
    first = items[0]
    assert first["predicted_gain"] is None
    assert first["score"] == pytest.approx(min(first["pose"]["keypoint_scores"]))
    assert first["reason"].startswith(f"{'ab'[first['keypoint']]} is {first['score']:.0%} sure")
    assert (first["pose"]["frame_index"], first["pose"]["source"]) == (first["frame_index"], "pseudo")


def test_what_was_looked_at_is_not_asked_for_again(desk, reviewer, two):
    # What a label says of a track makes acceptances around it outdated, so what is accepted is of the other one.
    first, third, fourth, *_ = (place for place in places(desk, limit=200) if place[1] == 1)
    second = next(place for place in places(desk, limit=200) if place[1] == 2)
    desk.label(first[1], first[0])
    reviewer.say("accept", second[0], second[0] + 1, track_id=second[1])
    reviewer.say("reject", third[0], third[0] + 1, track_id=third[1])
    absent = {"frame_index": fourth[0], "track_id": fourth[1], "absent": True}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [absent]}).is_success
    left = places(desk, limit=200)
    assert not {first, second, third, fourth} & {*left}
    reviewer.undo(1)
    assert second in places(desk, limit=200)
    reviewer.say("accept", 0, 45)
    assert {track for _, track in places(desk)} == {fourth[1]}  # what is stale is not accepted


def test_pages_go_on_where_the_last_one_ended(desk, two, refused):
    whole = places(desk, limit=200)
    found, cursor = [], {}
    while True:
        page = queue(desk, limit=3, **cursor)
        found += [(item["frame_index"], item["track_id"]) for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert found == whole
    for bad in ("x", "WzFd", "W251bGwsMSwxXQ=="):
        refused(desk.http.get(f"{desk.url}/review-queue", params={"cursor": bad}), 422, "/cursor")


def test_a_project_s_queue_goes_from_video_to_video(desk, walker, two, tmp_path):
    again = tmp_path / "again.mp4"
    again.write_bytes(walker.path.read_bytes() + b"\0\0\0\x08free")
    other = desk.service.upload(desk.project, again)
    desk.service.track(other, "anna")
    labels = [{"frame_index": frame, "track_id": 1, "keypoints": [[50, 50, 2], [9, 9, 2]]} for frame in (0, 44)]
    assert desk.http.put(f"/videos/{other['id']}/labels", json={"labels": labels}).is_success
    job = desk.http.post(f"/videos/{other['id']}/propagations", json={"engine": "linear"}).json()
    desk.service.finished(job)
    url = f"/projects/{desk.project['id']}/review-queue"
    items, cursor = [], {}
    while True:
        page = desk.http.get(url, params={"limit": 5, **cursor}).json()
        items += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    videos = [item["video_id"] for item in items]
    assert videos[:6] == [desk.video["id"], other["id"]] * 3
    mine = [(item["frame_index"], item["track_id"]) for item in items if item["video_id"] == desk.video["id"]]
    assert mine == places(desk, limit=200)


def test_queues_are_dealt_in_turn_with_bounded_work():
    queues = {number: [f"{number}.{place}" for place in range(number % 4)] for number in range(1, 40)}
    made, found, spot, pages = [], [], Spot(), 0
    while spot is not None:
        before = len(made)
        page = deal([*queues], lambda number: made.append(number) or queues[number], spot=spot, limit=7, most=3)
        assert len(made) - before <= 3
        assert len(page.items) <= 7
        found += [item for _, item in page.items]
        spot, pages = page.next, pages + 1
        assert pages < 200
    turns = [[queue[turn] for queue in queues.values() if turn < len(queue)] for turn in range(3)]
    assert found == [*itertools.chain(*turns)]


def test_only_videos_that_are_looked_through_are_read(desk, two, workroom, pair, monkeypatch):
    desk.service.upload(desk.project, pair.path)
    monkeypatch.setattr(queue_router, "MOST_VIDEOS", 1)
    database, read = connect(workroom.settings.database), []
    caller = Caller(lab_id=1, key_id=None, role=Role.READER)
    with database.session(readonly=True) as session:
        event.listen(session, "loaded_as_persistent", lambda _, row: read.append(row))
        found = queue_router._of_project(caller, desk.project["id"], None, 5, session, open_storage(workroom.settings))
        assert [row.id for row in read if isinstance(row, Video)] == [desk.video["id"]]
    assert {item.video_id for item in found.items} == {desk.video["id"]}
    database.dispose()
