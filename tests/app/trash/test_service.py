"""What is deleted is hidden everywhere at once, and comes back whole where it is restored."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime, timedelta

import pytest

from app.database import connect
from app.keys.service import Role
from app.settings import Settings
from app.tables import Project
from tests.answers import lasting
from tests.app.conftest import client_of

NAME = "the participant who changed her mind"


class Loop:
    """A project with a video that was labelled, propagated and exported, and one beside it."""

    def __init__(self, service, walker, pair, plant_checkpoint):
        self.service, self.http = service, service.http
        self.project = service.project(walker.skeleton, NAME)
        self.bytes = walker.path.read_bytes() + b"\0\0\0\x18free" + os.urandom(16)
        self.video, self.other = self.send(), service.upload(self.project, pair.path)
        points = [[100.5, 60.25, 2]] * walker.skeleton.size
        for video, length in ((self.video, 45), (self.other, 30)):
            service.track(video, NAME)
            labels = [{"frame_index": frame, "track_id": 1, "keypoints": points} for frame in range(0, length, 4)]
            assert self.http.put(f"/videos/{video['id']}/labels", json={"labels": labels}).is_success
        self.run = self.done(f"/videos/{self.video['id']}/propagations", {"engine": "linear"})["run_id"]
        self.export, self.without = (
            self.done(f"/projects/{self.project['id']}/exports", {"videos": [one["id"]]})["export_id"]
            for one in (self.video, self.other)
        )
        pedigree = {"videos": [{"id": self.video["id"], "revision": 1, "runs": [self.run]}], "held_out": []}
        plant = {"pedigree": {**pedigree, "parent": None}, "promoted": True}
        self.checkpoint = plant_checkpoint(service, self.project["id"], **plant)

    def send(self, more=b"", filename=NAME):
        filler = b"\0\0\0\x18free" + more if more else b""
        url = f"/projects/{self.project['id']}/videos"
        return self.http.post(url, params={"filename": filename}, content=self.bytes + filler).json()

    def done(self, url, body):
        job = self.service.finished(self.http.post(url, json=body).json())
        assert job["state"] == "succeeded", job
        return job["result"]

    def urls(self):
        """Everything of the video that can be read."""
        video, run, export = f"/videos/{self.video['id']}", f"/runs/{self.run}", f"/exports/{self.export}"
        job = f"/jobs/{self.http.get(run).json()['job_id']}"
        below = (
            "",
            "/frames/3",
            "/content",
            "/tracks",
            "/labels",
            "/labels?layer=merged",
            "/labels/revisions",
            "/runs",
        )
        of_others = (run, f"{run}/content", export, f"{export}/content", job, f"{job}/events")
        return [*(f"{video}{part}" for part in below), *of_others]

    def lists(self):
        """Every list that names it."""
        project = f"/projects/{self.project['id']}"
        return [f"{project}/videos", f"{project}/exports", f"/jobs?video_id={self.video['id']}"]


@pytest.fixture(scope="module")
def loop(serving, walker, pair, plant_checkpoint, tmp_path_factory):
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("trash"), port=0))
    return Loop(service, walker, pair, plant_checkpoint)


def numbers(answer):
    return [row["id"] for row in answer.json()["items"]]


def test_a_deleted_video_is_hidden_at_once_and_comes_back_as_it_was(loop, refused):
    urls, lists, url = loop.urls(), loop.lists(), f"/videos/{loop.video['id']}"
    before = {one: lasting(loop.http.get(one)) for one in (*urls, *lists) if "events" not in one}
    gone = loop.http.delete(url)
    assert gone.status_code == 202, gone.text
    shown = gone.json()
    until = datetime.fromisoformat(shown["restore_until"])
    assert timedelta(days=29.9) < until - datetime.now(UTC) < timedelta(days=30)
    assert (shown["kind"], shown["id"]) == ("video", loop.video["id"])
    assert (shown["exports"], shown["checkpoints"], shown["runs"]) == ([loop.export], [loop.checkpoint], [])
    for one in urls:
        refused(loop.http.get(one), 404)
    assert numbers(loop.http.get(lists[0])) == [loop.other["id"]]
    assert numbers(loop.http.get(lists[1])) == [loop.without]
    assert numbers(loop.http.get(lists[2])) == []
    for one in ("propagations", "estimates"):
        refused(loop.http.post(f"{url}/{one}", json={}), 404)
    refused(loop.http.patch(f"/runs/{loop.run}", json={}), 405)
    refused(loop.http.delete(f"/runs/{loop.run}"), 404)
    named = loop.http.post(f"/projects/{loop.project['id']}/exports", json={"videos": [loop.video["id"]]})
    assert "no video" in refused(named, 422, "/videos/0")["detail"]
    trash = loop.http.get(lists[0], params={"deleted": True}).json()["items"]
    assert [(row["id"], row["restore_until"]) for row in trash] == [(loop.video["id"], shown["restore_until"])]
    checkpoint = loop.http.get(f"/checkpoints/{loop.checkpoint}").json()
    assert checkpoint["rests_on_deleted"] == {"videos": [loop.video["id"]], "checkpoints": []}
    again = loop.http.delete(url).json()
    assert again == {**shown, "cancelled_jobs": [], "ended_uploads": 0}
    back = loop.http.post(f"{url}/restore")
    assert back.status_code == 200, back.text
    assert loop.http.get(f"/checkpoints/{loop.checkpoint}").json()["rests_on_deleted"] is None
    assert {one: lasting(loop.http.get(one)) for one in before} == before
    assert loop.http.post(f"{url}/restore").status_code == 200
    assert numbers(loop.http.get(lists[0], params={"deleted": True})) == []


def test_the_snapshot_of_an_export_leaves_it_out(loop):
    url = f"/videos/{loop.video['id']}"
    loop.http.delete(url)
    export = loop.done(f"/projects/{loop.project['id']}/exports", {})["export_id"]
    coco = loop.http.get(f"/exports/{export}/content").json()
    assert {image["video_id"] for image in coco["images"]} == {loop.other["id"]}
    assert loop.http.post(f"{url}/restore").status_code == 200


def test_the_same_bytes_sent_again_are_a_new_video(loop, refused):
    url = f"/videos/{loop.video['id']}"
    with_key = {"headers": {"Idempotency-Key": "send once"}}
    send = {"params": {"filename": NAME}, "content": loop.bytes, **with_key}
    first = loop.http.post(f"/projects/{loop.project['id']}/videos", **send)
    assert (first.status_code, first.json()["id"]) == (200, loop.video["id"])
    loop.http.delete(url)
    anew = loop.http.post(f"/projects/{loop.project['id']}/videos", **send)
    assert anew.status_code == 201
    number = anew.json()["id"]
    assert number != loop.video["id"]
    assert anew.json()["slug"] != loop.video["slug"]
    assert f"as video {number}" in refused(loop.http.post(f"{url}/restore"), 409)["detail"]
    loop.http.delete(f"/videos/{number}", params={"purge": True})
    assert "being erased" in refused(loop.http.post(f"/videos/{number}/restore"), 409)["detail"]
    assert loop.http.post(f"{url}/restore").status_code == 200


def test_work_under_way_is_called_off_and_ingest_begins_again(loop):
    number = loop.send(os.urandom(16), "waiting.mp4")["id"]
    shown = loop.http.delete(f"/videos/{number}").json()
    assert len(shown["cancelled_jobs"]) == 1
    loop.service.work()
    assert loop.http.post(f"/videos/{number}/restore").json()["status"] == "ingesting"
    loop.service.work()
    assert loop.http.get(f"/videos/{number}").json()["status"] == "ready"
    loop.http.delete(f"/videos/{number}")


def test_jobs_that_read_it_are_called_off(loop):
    project, url = f"/projects/{loop.project['id']}", f"/videos/{loop.video['id']}"
    export = loop.http.post(f"{project}/exports", json={}).json()
    training = loop.http.post(f"{project}/trainings", json={"epochs": 1}).json()
    beside = loop.http.post(f"{project}/exports", json={"videos": [loop.other["id"]]}).json()
    assert {export["id"], training["id"]} <= {*loop.http.delete(url).json()["cancelled_jobs"]}
    for job in (export, training):
        ended = loop.http.get(f"/jobs/{job['id']}").json()
        assert (ended["state"], ended["error"]) == ("cancelled", "what this was about was deleted")
    assert loop.service.finished(beside)["state"] == "succeeded"
    assert loop.http.post(f"{url}/restore").status_code == 200


def test_a_project_goes_with_all_that_is_in_it(loop, refused):
    project = f"/projects/{loop.project['id']}"
    number = base64.b64encode(str(loop.project["id"]).encode()).decode()
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "1000", "Upload-Metadata": f"project_id {number}"}
    upload = loop.http.post("/uploads", headers=tus).json()["id"]
    parts = loop.service.settings.scratch_dir / "uploads"
    assert (parts / upload).exists()
    urls = [*loop.urls(), project, *loop.lists()[:2], f"{project}/checkpoints", f"/checkpoints/{loop.checkpoint}"]
    shown = loop.http.delete(project).json()
    assert (shown["ended_uploads"], shown["checkpoints"], shown["exports"]) == (1, [], [])
    for one in urls:
        refused(loop.http.get(one), 404)
    assert loop.http.head(f"/uploads/{upload}", headers=tus).status_code == 410
    assert not (parts / upload).exists()
    refused(loop.http.post(f"{project}/videos", content=loop.bytes), 404)
    refused(loop.http.post("/uploads", headers=tus), 404)
    assert loop.project["id"] in numbers(loop.http.get("/projects", params={"deleted": 1}))
    assert NAME not in loop.http.get("/projects").text
    restored = loop.http.post(f"/videos/{loop.video['id']}/restore")
    assert "restore that first" in refused(restored, 409)["detail"]
    other = loop.service.project(loop_skeleton(), "elsewhere")
    used = loop.http.post(f"/projects/{other['id']}/trainings", json={"base_checkpoint_id": loop.checkpoint})
    assert "no checkpoint" in refused(used, 422)["detail"]
    loop.http.delete(f"/projects/{other['id']}")
    assert loop.http.post(f"{project}/restore").status_code == 200
    for one in urls:
        assert loop.http.get(one).is_success, one


def loop_skeleton():
    from pose.skeleton import Skeleton

    return Skeleton(name="one", keypoints=("a",))


def test_a_deleted_lab_lets_nobody_in_until_the_operator_restores_it(loop, refused):
    made = loop.http.post("/labs", json={"name": "leaving"}).json()
    url = f"/labs/{made['id']}"
    with client_of(loop.service, Role.ADMIN, made["id"]) as theirs:
        theirs.post("/projects", json={"name": "p", "skeleton": {"name": "s", "keypoints": ["a"]}})
        cookie = {"Cookie": theirs.post("/session").headers["set-cookie"].partition(";")[0], "Authorization": ""}
        assert theirs.get("/me", headers=cookie).is_success
        assert theirs.delete(url).status_code == 202
        assert "deleted" in refused(theirs.get("/me"), 401)["detail"]
        refused(theirs.get("/me", headers=cookie), 401)
        assert made["id"] not in numbers(loop.http.get("/labs"))
        assert made["id"] in numbers(loop.http.get("/labs", params={"deleted": True}))
        again = loop.http.post("/labs", json={"name": "leaving"}).json()
        assert "another lab" in refused(loop.http.post(f"{url}/restore"), 409)["detail"]
        loop.http.delete(f"/labs/{again['id']}")
        assert loop.http.post(f"{url}/restore").status_code == 200
        assert numbers(theirs.get("/projects"))
        assert "operator" in refused(theirs.post(f"{url}/restore"), 403)["detail"]
    assert loop.http.delete(url).status_code == 202


def test_the_operator_s_lab_stays(loop, refused):
    mine = loop.http.get("/me").json()["lab_id"]
    assert "operator's lab" in refused(loop.http.delete(f"/labs/{mine}", params={"purge": True}), 409)["detail"]
    assert loop.http.get("/me").is_success


def test_erasing_at_once_and_the_trash_are_not_for_everybody(loop, refused):
    url = f"/videos/{loop.video['id']}"
    with client_of(loop.service, Role.LAB) as lab, client_of(loop.service, Role.ANNOTATOR) as annotator:
        refused(lab.delete(url, params={"purge": True}), 403)
        refused(annotator.delete(url), 403)
        refused(annotator.get("/projects", params={"deleted": True}), 403)
        assert lab.get("/projects", params={"deleted": True}).is_success
        refused(lab.delete(url, params={"purge": "perhaps"}), 422, "/purge")
    assert loop.http.get(url).is_success


def test_what_is_queued_beside_the_deletion_is_not_done(loop):
    """A request that had found the project a moment before may still queue a job."""
    database = connect(loop.service.settings.database)
    job = loop.http.post(f"/projects/{loop.project['id']}/exports", json={}).json()
    with database.session() as session:
        session.get_one(Project, loop.project["id"]).deleted_at = datetime.now(UTC)
    loop.service.work()
    with database.session() as session:
        session.get_one(Project, loop.project["id"]).deleted_at = None
    database.dispose()
    assert loop.http.get(f"/jobs/{job['id']}").json()["state"] == "cancelled"
