"""How much of a video is labelled, reviewed and propagated: after every act as the poses themselves tell it."""

from __future__ import annotations

import json
import time

import anyio
import pytest
from sqlalchemy import event, select

from app.apart import Apart
from app.database import connect
from app.pagination import PageRequest
from app.reviews import counting as module
from app.reviews.counting import Counting
from app.storage import open_storage
from app.tables import Job, Project, Video, VideoShare
from app.turns import Turns
from app.videos.router import list_videos

FRAMES = 45
PARTS = ("labelled", "reviewed", "propagated")


def listed(desk, video=0):
    """What a list tells of one of the project's videos."""
    return desk.http.get(f"/projects/{desk.project['id']}/videos").json()["items"][video]["share"]


def share(desk, video=0):
    """The numbers once they are of things as they are."""
    until = time.monotonic() + 300  # a video that took long to count rests nine times as long
    while not (found := listed(desk, video)) or not found["current"]:
        assert time.monotonic() < until, found
        time.sleep(0.05)
    return found


def numbers(desk):
    found = share(desk)
    assert desk.http.get(desk.url).json()["share"] == found
    assert found["poses"] == FRAMES * len(desk.tracks())
    return tuple(found[name] for name in PARTS)


def told(desk):
    """The same as the labels tell it, pose by pose; of a label alone that is absent, none of it is."""
    labels = desk.http.get(f"{desk.url}/labels", params={"layer": "merged"}).json()["labels"]
    kinds = [
        "rejected" if one.get("rejected") else "human" if one.get("absent") is True else one["source"] for one in labels
    ]
    return tuple(map(kinds.count, ("human", "accepted", "pseudo")))


def test_each_act_is_counted_and_taken_back_with_it(desk, reviewer):
    assert numbers(desk) == (0, 0, 0)
    revision = desk.label(1, 0, 20, 40)
    assert numbers(desk) == (3, 0, 0) == told(desk)
    run = desk.propagate()
    assert numbers(desk) == (3, 0, 42) == told(desk)
    review = reviewer.say("accept", 5, 10)
    assert numbers(desk) == (3, 5, 37) == told(desk)
    rejected = reviewer.say("reject", 30, 33)
    assert numbers(desk) == (3, 5, 34) == told(desk)
    assert reviewer.undo(rejected["id"]).is_success
    assert reviewer.undo(review["id"]).is_success
    assert numbers(desk) == (3, 0, 42) == told(desk)
    assert desk.http.delete(f"/runs/{run}").is_success
    assert numbers(desk) == (3, 0, 0) == told(desk)
    assert desk.http.post(f"/runs/{run}/restore").is_success
    assert numbers(desk) == (3, 0, 42)
    fix = desk.label(1, 7)
    assert numbers(desk) == (4, 0, 41) == told(desk)
    assert desk.undo(fix).is_success
    assert numbers(desk) == (3, 0, 42)
    assert desk.undo(revision).is_success
    assert numbers(desk)[0] == 0


def test_who_is_said_to_be_absent_needs_no_label(desk):
    desk.label(1, 0, 20)
    absent = [{"frame_index": frame, "track_id": 1, "absent": True} for frame in (30, 44)]
    assert desk.http.put(f"{desk.url}/labels", json={"labels": absent}).is_success
    assert numbers(desk) == (2 + 15, 0, 0)
    desk.propagate()
    labelled, _, propagated = numbers(desk)
    assert (labelled, propagated) == (17, told(desk)[2])


def test_a_deleted_track_counts_no_more(desk):
    desk.label(1, 0)
    desk.label(2, 3, 4)
    assert numbers(desk) == (3, 0, 0)
    assert desk.http.delete(f"{desk.url}/tracks/2").is_success
    assert numbers(desk) == (1, 0, 0)


def test_old_numbers_are_told_as_such_until_they_are_counted_again(desk, workroom):
    desk.label(1, 0, 20)
    share(desk)
    database = connect(workroom.settings.database)
    try:
        with database.session() as session:
            session.get_one(VideoShare, desk.video["id"]).state = "another"
        old = listed(desk)
        assert (old["labelled"], old["current"]) == (2, False)
        assert numbers(desk) == (2, 0, 0)
    finally:
        database.dispose()


def test_what_was_counted_meanwhile_is_not_counted_again(desk, workroom, monkeypatch):
    desk.label(1, 0, 20)
    share(desk)
    database = connect(workroom.settings.database)
    counting = Counting(database, open_storage(workroom.settings), Turns.of(database), Apart(workroom.settings))
    looked = []
    monkeypatch.setattr(module, "look", lambda video_id, *_: looked.append(video_id))
    assert anyio.run(counting._counted, desk.video["id"], 1) is None
    assert looked == []
    desk.label(1, 40)
    anyio.run(counting._counted, desk.video["id"], 1)
    assert desk.video["id"] in looked  # the service may be counting it too
    database.dispose()


@pytest.fixture
def statements(workroom):
    """Counts what a page of videos asks the database."""
    database = connect(workroom.settings.database)

    def ask(project, limit):
        asked = []

        def note(connection, cursor, statement, *_):
            asked.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        try:
            with database.session(readonly=True) as session:
                page = PageRequest(limit=limit, after=None)
                counting = Counting(database, None, Turns.of(database), Apart(workroom.settings))
                found = list_videos(session.get_one(Project, project), session, page, counting)
        finally:
            event.remove(database.engine, "before_cursor_execute", note)
        return len(found.items), len(asked)

    yield ask
    database.dispose()


def test_a_page_asks_as_often_whatever_its_length(desk, statements, pair):
    desk.label(1, 0, 20, 40)
    desk.propagate()
    desk.service.upload(desk.project, pair.path)
    assert (share(desk)["labelled"], share(desk, 1)["labelled"]) == (3, 0)
    (one, asked), (two, asked_of_two) = (statements(desk.project["id"], limit) for limit in (1, 2))
    assert (one, two) == (1, 2)
    assert asked == asked_of_two


@pytest.fixture
def apart(monkeypatch):
    """What is counted in another process."""
    acts, call = [], Apart.__call__

    async def note(self, act, lab_id):
        acts.append(act.func)
        return await call(self, act, lab_id)

    monkeypatch.setattr(Apart, "__call__", note)
    return acts


def test_a_long_video_is_counted_in_another_process(desk, apart, monkeypatch):
    desk.label(1, 0, 20, 40)
    desk.propagate()
    monkeypatch.setattr(module, "MANY", FRAMES * 3)
    assert numbers(desk) == (3, 0, 42)
    assert apart == []
    monkeypatch.setattr(module, "MANY", FRAMES * 3 - 1)
    desk.label(2, 3)
    assert numbers(desk) == (4, 0, 42)
    assert apart == [module.look]


@pytest.mark.parametrize(("many", "at_once"), [(1, 1), (FRAMES * 2, 2), (FRAMES * 3, 3)])
def test_a_few_tracks_are_looked_at_at_a_time(desk, workroom, monkeypatch, many, at_once):
    for track in (1, 2, 3):
        desk.label(track, 0, 20, 40)
    absent = {"frame_index": 44, "track_id": 2, "absent": True}
    assert desk.http.put(f"{desk.url}/labels", json={"labels": [absent]}).is_success
    desk.propagate()
    expected = share(desk)
    looked, survey = [], module.survey

    def note(*args, only, **what):
        looked.append(len(only))
        return survey(*args, only=only, **what)

    monkeypatch.setattr(module, "survey", note)
    monkeypatch.setattr(module, "MANY", many)
    database = connect(workroom.settings.database)
    with database.session(readonly=True) as session:
        video = session.get_one(Video, desk.video["id"])
        counted = module.count(session, open_storage(workroom.settings), video, "now")
    database.dispose()
    assert max(looked) == at_once
    assert sum(looked) == 3
    assert {name: getattr(counted, name) for name in ("poses", *PARTS)} == {
        name: expected[name] for name in ("poses", *PARTS)
    }


def test_a_video_that_cannot_be_counted_ends_nothing(desk, workroom, pair, wait_for, caplog, monkeypatch):
    monkeypatch.setattr(module, "_REST", 0.0)
    desk.label(1, 0, 20, 40)
    run = desk.propagate()
    desk.put((20, 1, [[1, 1, 2], [2, 2, 2]]))  # whether the run is stale is told by what its job was to do
    database = connect(workroom.settings.database)
    with database.session() as session:
        job = session.scalars(select(Job).where(Job.result["run_id"].as_integer() == run)).first()
        job.params, job.version = {**job.params, "version": 99}, job.version + 1
    assert desk.http.get(desk.url).is_success
    wait_for(lambda: f"video {desk.video['id']} could not be counted this time" in caplog.text)
    desk.service.upload(desk.project, pair.path)
    assert share(desk, 1)["current"]
    waiting = desk.http.post(f"/projects/{desk.project['id']}/exports", json={}).json()
    assert desk.http.post(f"/jobs/{waiting['id']}/cancel").is_success
    with desk.http.stream("GET", f"/jobs/{waiting['id']}/events") as answer:
        said = [json.loads(line[5:]) for line in answer.iter_lines() if line.startswith("data:")]
    assert [one["state"] for one in said] == ["cancelled"]
    database.dispose()
