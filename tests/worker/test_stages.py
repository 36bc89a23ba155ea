"""``auto`` in two stages: an unfitted run first, then a fitted one in its place, whatever happens in between."""

from __future__ import annotations

import json
import threading

import pytest

from app.settings import Settings
from worker.worker import Worker

pytestmark = pytest.mark.slow

WANTED = {"stop": 60, "keyframes": [0, 20, 40, 58]}


class Staged:
    """A plant with one propagation of two stages, and nothing else to do."""

    def __init__(self, plant, **options):
        self.plant, self.http = plant, plant.http
        self.http.post(f"/jobs/{plant.job}/cancel")
        self.first = self.post(**options)

    def post(self, **options):
        answer = self.http.post("/videos/1/propagations", json={**WANTED, **options})
        assert answer.status_code == 202, answer.text
        return answer.json()

    def work(self, jobs=1, settings=None):
        """Do some jobs, as a process does that has just begun."""
        with Worker(settings or self.plant.settings, threading.Event()) as worker:
            for _ in range(jobs):
                assert worker.do_one()

    @property
    def run(self):
        """The first stage's run."""
        return self.http.get(f"/runs/{self.first['result']['run_id']}").json()

    @property
    def second(self):
        """The second stage's job."""
        return self.http.get(f"/jobs/{self.run['other_stage']['job_id']}").json()

    def seen(self):
        """The runs whose poses are seen, and the runs that are listed."""
        query = {"layer": "pseudo", "start": 0, "stop": WANTED["stop"]}
        labels = self.http.get("/videos/1/labels", params=query).json()["labels"]
        listed = [run["id"] for run in self.http.get("/videos/1/runs").json()["items"]]
        return {label["run_id"] for label in labels}, listed[1:]  # without that of the plant

    def export(self):
        self.http.post("/projects/1/exports", json={"include": ["pseudo"]})
        self.plant.work()
        return self.http.get("/projects/1/exports").json()["items"][-1]["manifest"]


@pytest.fixture
def staged(planted):
    return Staged(planted(adapt_steps=4, lease_seconds=20.0))


def test_the_fitted_run_takes_the_place_of_the_first_at_one_moment(staged):
    one, other = staged.run["id"], staged.run["other_stage"]["run_id"]
    assert (staged.run["stage"], staged.second["state"]) == (1, "queued")
    assert staged.seen() == (set(), [one])
    staged.work()
    assert (staged.run["state"], staged.run["engine"], staged.run["stage"]) == ("succeeded", "stdpose", 1)
    assert "fit" not in staged.run["computed"]
    assert staged.second["state"] == "queued"
    assert staged.seen() == ({one}, [one])
    staged.plant.work()
    assert staged.second["state"] == "succeeded"
    assert staged.seen() == ({other}, [other])
    fitted = staged.http.get(f"/runs/{other}").json()
    assert fitted["stage"] == 2
    assert fitted["other_stage"] == {"run_id": one, "job_id": staged.first["id"], "state": "succeeded"}
    assert fitted["computed"]["fit"]["steps"] == 4
    assert fitted["label_revision"] == staged.run["label_revision"]
    # What an engine is fitted to it has seen: nothing can be hidden from it any more.
    jobs = staged.http.get("/jobs", params={"kind": "measure"}).json()["items"]
    assert [job["result"]["run_id"] for job in jobs] == [one]
    # One act hides both, and shows both again.
    staged.http.delete(f"/runs/{other}")
    assert staged.seen()[0] == set()
    staged.http.post(f"/runs/{other}/restore")
    assert staged.seen() == ({other}, [other])


def test_what_is_cancelled_in_the_second_stage_keeps_the_first(staged):
    staged.work()
    staged.http.post(f"/jobs/{staged.second['id']}/cancel")
    staged.plant.work()
    assert staged.second["state"] == "cancelled"
    assert staged.seen() == ({staged.run["id"]}, [staged.run["id"]])
    assert staged.run["other_stage"]["state"] == "cancelled"


def test_what_is_cancelled_in_the_first_stage_has_no_second(staged):
    staged.http.post(f"/jobs/{staged.first['id']}/cancel")
    assert staged.second["state"] == "cancelled"
    staged.plant.work()
    assert staged.seen()[0] == set()


def test_what_failed_in_the_first_stage_has_no_second(staged):
    with staged.plant.database.session() as session:
        from app.tables import Job

        job = session.get_one(Job, staged.first["id"])
        job.state = "failed"
    staged.plant.work()
    assert (staged.second["state"], staged.second["attempt"]) == ("cancelled", 0)
    assert "did not end well" in staged.second["error"]


def test_a_worker_that_dies_in_the_second_stage_is_gone_on_from(planted, wait):
    staged = Staged(planted(adapt_steps=30, lease_seconds=20.0))
    staged.work()
    killed = staged.plant.start()
    wait(lambda: staged.second["stage"] == "fitting to the video", seconds=240)
    assert staged.seen()[0] == {staged.run["id"]}
    killed.kill()
    killed.wait()
    staged.plant.start()
    ended = wait(lambda: (shown := staged.second)["finished_at"] and shown, seconds=240)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    assert staged.seen()[0] == {staged.run["other_stage"]["run_id"]}


def test_exports_say_of_which_stage_they_are(staged):
    staged.work()
    one = staged.run["id"]
    staged.http.post("/projects/1/exports", json={"include": ["pseudo"]})
    asked = staged.http.get("/projects/1/exports").json()["items"][-1]["id"]
    staged.plant.work()  # the second stage too, before the export or after it
    found = staged.http.get(f"/exports/{asked}").json()["manifest"]
    assert any(f"run {one} are those of the first stage" in warning for warning in found["warnings"])
    document = json.loads(staged.http.get(f"/exports/{asked}/content").content)
    assert {entry["run_id"] for entry in document["annotations"]} == {one}
    assert staged.export()["warnings"] == []


def test_a_later_propagation_is_seen_above_both_and_ends_the_fit(staged):
    staged.work()
    later = staged.post(engine="linear", keyframes=None)
    assert (staged.second["state"], staged.second["error"]) == (
        "cancelled",
        "a later propagation covers the same frames",
    )
    staged.plant.work()
    assert staged.seen()[0] == {later["result"]["run_id"]}


def test_a_later_propagation_of_some_frames_is_seen_above_the_fit(staged):
    staged.work()
    later = staged.post(engine="linear", keyframes=None, start=0, stop=30)
    staged.plant.work()
    assert staged.seen()[0] == {later["result"]["run_id"], staged.run["other_stage"]["run_id"]}
    assert later["result"]["run_id"] > staged.run["other_stage"]["run_id"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"adapt": False},
        {"adapt": True},
        {"engine": "stdpose"},
        {"keyframes": None},  # every second frame is labelled
        {"keyframes": [0]},
        {"start": 1, "stop": 19, "keyframes": [0, 20]},
    ],
    ids=str,
)
def test_there_is_one_stage_where_two_are_not_worth_it(planted, wanted):
    staged = Staged(planted(lease_seconds=20.0), **wanted)
    assert (staged.run["stage"], staged.run["other_stage"]) == (None, None)


def test_without_pytorch_both_stages_are_flow(staged, monkeypatch):
    monkeypatch.setattr("models.registry.find_spec", lambda _: None)
    staged.plant.work()
    assert (staged.run["engine"], staged.second["state"]) == ("flow", "succeeded")


def test_a_quick_worker_leaves_the_fit_to_others(staged):
    quick = Settings(**{**staged.plant.settings.model_dump(), "lane": "quick"})
    staged.work(settings=quick)
    staged.plant.service.settings = quick
    staged.plant.work()
    assert (staged.run["state"], staged.second["state"]) == ("succeeded", "queued")
