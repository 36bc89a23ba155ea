"""Measurements: what is hidden and kept, what is known already, and what ends one in the middle."""

from __future__ import annotations

import time

import numpy as np
import pytest
from sqlalchemy import select

import worker.kinds.measure
from app.database import connect
from app.runs import measuring
from app.settings import Settings
from app.storage import open_storage
from app.tables import Job, Measurement
from models.hiding import choose, hide
from models.registry import CLASSICAL
from pose.formats import hidden as files
from pose.formats.hidden import errors_of
from pose.frame_table import scan
from pose.frames import RecentFrames
from pose.video import VideoReader

FRAMES = (0, 10, 20, 30, 44)


class Bench:
    """A service with one video that is labelled on some frames, and what it measured."""

    def __init__(self, service, walker):
        self.service, self.http, self.walker = service, service.http, walker
        self.project = service.project(walker.skeleton)
        self.video = service.upload(self.project, walker.path)
        self.url = f"/videos/{self.video['id']}"
        self.service.track(self.video)
        self.database = connect(service.settings.database)
        self.label(*FRAMES)

    def label(self, *frames, moved=0.0):
        labels = [self.service.label(frame, 1, self.walker.tracks[1]) for frame in frames]
        for one in labels:
            one["keypoints"] = [[x + moved, y, v] for x, y, v in one["keypoints"]]
        assert self.http.put(f"{self.url}/labels", json={"labels": labels}).status_code == 200

    def ask(self, **body):
        answer = self.http.post(f"{self.url}/propagations", json={"engine": "flow", **body})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def jobs(self, kind="measure"):
        """The jobs of a kind, oldest first."""
        with self.database.session(readonly=True) as session:
            mine = Job.kind == kind, Job.project_id == self.project["id"]
            return list(session.scalars(select(Job).where(*mine).order_by(Job.id)))

    def row(self, engine="flow"):
        with self.database.session(readonly=True) as session:
            return session.get(Measurement, (self.video["id"], engine))

    def known(self, engine="flow"):
        """What was found of an engine, by track, frame and the errors' gaps."""
        row = self.row(engine)
        return files.decode(open_storage(self.service.settings).get(row.sha256)) if row else []

    def poses(self):
        return self.http.get(f"{self.url}/labels", params={"layer": "merged"}).json()["labels"]


def places(poses):
    """What a measurement leaves as it is."""
    names = ("frame_index", "track_id", "keypoints", "source", "revision", "run_id")
    return [{name: pose.get(name) for name in names} for pose in poses]


@pytest.fixture(scope="module")
def service(serving, tmp_path_factory):
    """Where a worker that is killed gives its lease back soon."""
    return serving(Settings(data_dir=tmp_path_factory.mktemp("bench"), port=0, lease_seconds=2.0, poll_seconds=0.05))


@pytest.fixture
def bench(service, walker):
    made = Bench(service, walker)
    yield made
    made.database.dispose()


@pytest.fixture(autouse=True)
def time_enough(monkeypatch):
    """What is hidden does not depend on how busy the machine is."""
    monkeypatch.setattr(measuring, "LEAST_SECONDS", 600.0)


@pytest.fixture
def hiding(monkeypatch):
    """Have something done before each keyframe that is hidden; gives the list of those that were."""
    seen, acts = [], []

    def hidden(video, keyframes, engine, some, cuts):
        seen.extend(some)
        for act in acts:
            act(len(seen))
        return hide(video, keyframes, engine, some, cuts)

    monkeypatch.setattr(worker.kinds.measure, "hide", hidden)
    return seen, acts.append


def heard(act):
    """Do something, and wait until the measurement looks at what else there is the next time it can."""
    act()
    time.sleep(2 * worker.kinds.measure._LOOK_SECONDS)


def test_what_is_kept_is_what_hiding_gives_and_poses_are_there_before(bench, hiding):
    seen, act = hiding
    shown = []
    act(lambda count: shown.append(bench.poses()) if count == 1 else None)
    job = bench.service.finished(bench.ask(engine="linear"))
    assert job["state"] == "succeeded"
    # Measured or not, they are the same poses; what their radii and scores are read by has changed since.
    assert list(map(places, shown)) == [places(bench.poses())]
    assert {row.get("radius90_state") for row in shown[0]} == {None}
    assert "provisional" in {row.get("radius90_state") for row in bench.poses()}
    assert {row["run_id"] for row in shown[0] if row["source"] == "pseudo"} == {job["result"]["run_id"]}
    (measured,) = bench.jobs()
    assert (measured.state, measured.priority) == ("succeeded", measuring.PRIORITY)
    assert measured.result["run_id"] == job["result"]["run_id"]
    assert (measured.result["hidden"], measured.result["left"]) == (11, 0)
    row = bench.row("linear")
    assert (row.run_id, row.keyframes) == (job["result"]["run_id"], 11)
    labels = {1: bench.walker.tracks[1].select(np.isin(bench.walker.tracks[1].frames, FRAMES))}
    assert sorted(map(repr, seen)) == sorted(map(repr, choose(labels)))
    with VideoReader(bench.walker.path, scan(bench.walker.path)) as video:
        want = {one: errors for one in seen for errors in hide(RecentFrames(video), labels, CLASSICAL["linear"], [one])}
    found = bench.known("linear")
    assert [(one.track, one.frame) for one in found] == [(one.track, one.frame) for one in seen]
    for one, errors in zip(found, want.values(), strict=True):
        np.testing.assert_array_equal(one.errors.keypoint, errors.keypoint)
        np.testing.assert_array_equal(one.errors.regime, errors.regime)
        np.testing.assert_allclose(one.errors.error, errors.error, rtol=1e-5)


def test_a_correction_measures_what_it_changed_alone(bench, hiding):
    seen, _ = hiding
    bench.service.finished(bench.ask())
    before = bench.known()
    seen.clear()
    bench.label(15)
    bench.service.finished(bench.ask())
    # Its own three ways, those of its neighbours that it stands between now, and nothing else.
    assert {(one.way, one.frame) for one in seen} == {
        *((way, 15) for way in ("between", "after", "before")),
        *((way, frame) for way in ("between",) for frame in (10, 20)),
        ("before", 10),
        ("after", 20),
    }
    shared = {one.input_sha256 for one in before} & {one.input_sha256 for one in bench.known()}
    assert (len(shared), len(bench.known())) == (11 - 4, 14)
    seen.clear()
    bench.service.finished(bench.ask())
    assert seen == []
    assert len(bench.known()) == 14


def test_a_label_that_moved_is_measured_anew(bench, hiding):
    bench.service.finished(bench.ask(engine="linear"))
    before = errors_of(bench.known("linear"))
    bench.label(20, moved=40.0)
    bench.service.finished(bench.ask(engine="linear"))
    after = errors_of(bench.known("linear"))
    assert after.error[after.frame == 20].mean() > 3 * before.error[before.frame == 20].mean()
    assert bench.row("flow") is None


def test_the_next_propagation_calls_off_what_is_measured_of_the_last(bench, hiding):
    seen, act = hiding
    bench.ask()
    act(lambda count: heard(bench.ask) if count == 3 else None)
    bench.service.work()
    first, second = bench.jobs()
    assert (first.state, second.state) == ("cancelled", "succeeded")
    assert "a later propagation" in first.error
    assert first.result["hidden"] in (2, 3)
    # What the first one had found out the second did not do again.
    assert 11 <= len(seen) <= 12
    assert len(bench.known()) == 11


def test_what_is_more_urgent_is_done_in_between(bench, hiding):
    seen, act = hiding
    bench.ask()

    def export(count):
        if count == 3:
            heard(lambda: bench.http.post(f"/projects/{bench.project['id']}/exports", json={"include": ["human"]}))

    act(export)
    bench.service.work()
    (measured,), (exported,) = bench.jobs(), bench.jobs("export")
    assert (measured.state, exported.state) == ("succeeded", "succeeded")
    assert exported.finished_at < measured.finished_at
    assert len(seen) <= 12
    assert (measured.attempt, measured.max_attempts) == (2, 4)  # giving way costs no attempt
    assert measured.result["left"] == 0


def test_who_cancels_it_keeps_the_poses_and_what_was_found(bench, hiding):
    seen, act = hiding
    bench.ask()
    act(lambda count: heard(lambda: bench.http.post(f"/jobs/{bench.jobs()[0].id}/cancel")) if count == 4 else None)
    bench.service.work()
    assert bench.jobs()[0].state == "cancelled"
    assert bench.jobs("propagate")[0].state == "succeeded"
    assert len(seen) - 1 <= len(bench.known()) <= len(seen) <= 5
    assert len(bench.poses()) == 45


class Killed(BaseException):
    """The process ends at once."""


def test_a_worker_that_dies_in_the_middle_leaves_the_poses_and_another_begins_anew(bench, hiding, wait):
    _, act = hiding
    bench.ask()

    def die(count):
        if count == 3:
            raise Killed

    act(die)
    with pytest.raises(Killed):
        bench.service.work()
    assert bench.jobs()[0].state == "running"
    assert len(bench.poses()) == 45
    wait(lambda: bench.service.work() or bench.jobs()[0].state == "succeeded", pause=0.1)
    assert bench.jobs()[0].attempt == 2
    assert len(bench.known()) == 11


def test_there_is_no_more_time_than_half_of_what_the_propagation_took(bench, hiding, monkeypatch):
    seen, act = hiding
    monkeypatch.setattr(measuring, "LEAST_SECONDS", 0.05)
    monkeypatch.setattr(measuring, "SHARE", 0.0)
    act(lambda count: time.sleep(0.06))
    bench.service.finished(bench.ask())
    (measured,) = bench.jobs()
    assert measured.state == "succeeded"
    assert measured.result["hidden"] + measured.result["left"] == 11
    assert len(seen) <= 1
    # Another run of the same labels goes on where there was no time.
    bench.service.finished(bench.ask())
    assert bench.jobs()[1].result["hidden"] <= 2


def test_labels_that_change_meanwhile_change_nothing_of_it(bench, hiding):
    _, act = hiding
    bench.service.finished(bench.ask(engine="linear"))
    before = errors_of(bench.known("linear"))
    with bench.database.session() as session:
        session.delete(session.get(Measurement, (bench.video["id"], "linear")))
    act(lambda count: bench.label(20, moved=40.0) if count == 1 else None)
    bench.service.finished(bench.ask(engine="linear"))
    np.testing.assert_array_equal(errors_of(bench.known("linear")).error, before.error)


def test_of_keyframes_that_are_all_alike_errors_are_none_and_nothing_is_made_up(bench):
    same = bench.service.label(0, 1, bench.walker.tracks[1])
    labels = [{**same, "frame_index": frame} for frame in FRAMES]
    assert bench.http.put(f"{bench.url}/labels", json={"labels": labels}).status_code == 200
    bench.service.finished(bench.ask(engine="linear"))
    found = errors_of(bench.known("linear"))
    assert len(found) > 0
    np.testing.assert_allclose(found.error, 0, atol=1e-6)


def test_one_keyframe_is_not_measured(bench):
    bench.service.finished(bench.ask(keyframes=[10]))
    assert bench.jobs() == []


def test_other_tracks_stay_known(bench):
    bench.service.track(bench.video)
    labels = [bench.service.label(frame, 1, bench.walker.tracks[1]) | {"track_id": 2} for frame in FRAMES]
    assert bench.http.put(f"{bench.url}/labels", json={"labels": labels}).status_code == 200
    bench.service.finished(bench.ask(engine="linear"))
    bench.label(15)
    bench.service.finished(bench.ask(engine="linear", tracks=[1]))
    assert sorted(one.track for one in bench.known("linear")) == [1] * 14 + [2] * 11
    bench.http.delete(f"{bench.url}/tracks/2")
    bench.service.finished(bench.ask(engine="linear"))
    assert {one.track for one in bench.known("linear")} == {1}
