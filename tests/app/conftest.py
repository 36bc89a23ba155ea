"""What the tests of the service share: one with a labelled video, and a reader of problem documents."""

from __future__ import annotations

import copy
import os
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from app.checkpoints import service as checkpoints
from app.checkpoints.schemas import Verdict
from app.database import connect
from app.jobs import ledger, states
from app.keys import service as keys
from app.keys.service import Role
from app.settings import Settings
from app.storage import open_storage
from app.tables import Lab, Project
from app.trainings.service import TRAIN
from pose.skeleton import Skeleton
from tests.app.desk import Desk


@dataclass
class House:
    """A service in which one video is ready, with one track that is labelled on three frames."""

    service: Any
    project: dict[str, Any]
    video: dict[str, Any]
    track: dict[str, Any]
    label: dict[str, Any]

    @property
    def http(self) -> httpx2.Client:
        """A client with the admin's key."""
        return self.service.http

    @property
    def url(self) -> str:
        """Address of the video."""
        return f"/videos/{self.video['id']}"

    def labels(self, frame_index: int = 1, **changes: Any) -> dict[str, Any]:
        """A body with one good label on a frame, changed."""
        return {"labels": [{**copy.deepcopy(self.label), "frame_index": frame_index, **changes}]}

    def client(self, role: Role, lab_id: int | None = None) -> httpx2.Client:
        """A client with a new key of that role, in the local lab or another one."""
        return client_of(self.service, role, lab_id)


def client_of(service: Any, role: Role, lab_id: int | None = None) -> httpx2.Client:
    """A client with a key of its own."""
    database = connect(service.settings.database)
    with database.session() as session:
        lab = lab_id or session.scalars(select(Lab.id).order_by(Lab.id)).first()
        _, key = keys.create(session, lab, name=role.value, role=role, expires_at=None)
    database.dispose()
    return httpx2.Client(base_url=service.http.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


@pytest.fixture(scope="module")
def house(serving, walker, tmp_path_factory) -> House:
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("house"), port=0, max_json_bytes=8 * 2**20))
    project = service.project(walker.skeleton)
    video = service.upload(project, walker.path)
    track = service.track(video)
    labels = [service.label(frame, 1, walker.tracks[1]) for frame in (0, 20, 44)]
    written = service.http.put(f"/videos/{video['id']}/labels", json={"labels": labels})
    assert written.status_code == 200, written.text
    return House(service, project, video, track, labels[0])


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., Any]:
    """Wait until something holds, and give it."""

    def wait(condition: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            assert time.monotonic() < deadline, "it does not come about"
            time.sleep(0.1)
        return found

    return wait


@pytest.fixture(scope="session")
def refused() -> Callable[..., dict[str, Any]]:
    """Check that an answer is a problem document with that status, which names those fields; gives it."""

    def check(answer: httpx2.Response, status: int, *pointers: str) -> dict[str, Any]:
        assert answer.status_code == status, f"{answer.status_code} {answer.text[:500]}"
        assert answer.headers["content-type"] == "application/problem+json", answer.text[:500]
        if answer.request.method == "HEAD":
            return {}
        problem = answer.json()
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        named = {entry["pointer"] for entry in problem["errors"]}
        assert {*pointers} <= named, problem
        assert all(entry["detail"] and entry["location"] for entry in problem["errors"])
        return problem

    return check


def plant_checkpoint(service: Any, project_id: int, *, promoted: bool = False, **facts: Any) -> int:
    """A checkpoint as a training leaves one, but that its weights are no network's unless given; gives its id."""
    database, storage = connect(service.settings.database), open_storage(service.settings)
    with database.session() as session:
        project = session.get_one(Project, project_id)
        job = ledger.enqueue(session, project, TRAIN, {}, max_attempts=1)
        job.state = states.SUCCEEDED
        weights = storage.put(facts.pop("weights", b"weights of job %d" % job.id))
        files = {"report.json": storage.put(b'{"frames": 12}'), "report.md": storage.put(b"# Evaluation")}
        row = {
            "project_id": project_id,
            "job_id": job.id,
            "parent_id": None,
            "estimator": "stdpose",
            "preset": "tiny",
            "skeleton_version": project.skeleton_version,
            "metrics": {"overall": {"mean": 0.031}},
            "epochs": [{"index": 0, "loss": 1.5, "validation": {"error": float("nan")}}],
            "pedigree": {"videos": [], "held_out": [], "note": MARK},
        }
        verdict = Verdict(promoted=promoted, reason="Not promoted: planted.", gain=float("nan"))
        checkpoint = checkpoints.add(session, storage, weights, files, verdict, **{**row, **facts})
        if promoted:
            checkpoints.promote(session, checkpoint)
        number = checkpoint.id
    database.dispose()
    return number


@pytest.fixture(scope="session", name="plant_checkpoint")
def _plant_checkpoint() -> Callable[..., int]:
    return plant_checkpoint


#: Stands in every name the tenant gave, so that it can be looked for where it must not be.
MARK = "of-the-tenant"


#: Of the tenant's run, whatever became of the labels below it.
REVIEW = {"start": 0, "stop": 45, "verdict": "reject"}


@dataclass
class Tenant:
    """A lab that is not the operator's, with a row of everything, in a service of its own."""

    service: Any
    admin: httpx2.Client
    lab_id: int
    ids: dict[str, Any]
    requests: dict[tuple[str, str], dict[str, Any]]

    def client(self, role: Role) -> httpx2.Client:
        """A client with a new key of the tenant's lab."""
        return client_of(self.service, role, self.lab_id)

    def routes(self) -> list[tuple[str, str]]:
        """Every route of the API, as method and path template."""
        paths = self.service.http.get("/openapi.json").json()["paths"]
        return [
            (verb.upper(), path.removeprefix("/api/v1"))
            for path, item in paths.items()
            if path.startswith("/api/v1")
            for verb in item
            if verb in ("get", "put", "post", "patch", "delete", "head", "options")
        ]

    def aim(self, method: str, path: str) -> Callable[[httpx2.Client], httpx2.Response]:
        """The request of a route, about the tenant's rows; those that it can end only once are new."""
        assert (method, path) in self.requests, f"{method} {path}: add a request that is right to tests/app/conftest.py"
        url = path.format(**{**self.ids, **self._anew(method, path)})

        def send(client: httpx2.Client) -> httpx2.Response:
            answer = client.request(method, url, **self.requests[method, path])
            if (method, path) == ("DELETE", "/labs/{lab_id}") and answer.is_success:
                self._come_back()
            return answer

        return send

    def call(self, client: httpx2.Client, method: str, path: str) -> httpx2.Response:
        """Send the request of a route."""
        return self.aim(method, path)(client)

    def _come_back(self) -> None:
        """Have the operator restore the lab, and begin an upload again: deleting the lab ended it."""
        assert self.service.http.post(f"/labs/{self.lab_id}/restore").is_success
        self.ids["upload_id"] = self.admin.post("/uploads", **self.requests["POST", "/uploads"]).json()["id"]

    def _anew(self, method: str, path: str) -> dict[str, Any]:
        if (found := re.match(r"/(videos|projects|labs)/\{(\w+)\}(/restore)?$", path)) and method in ("POST", "DELETE"):
            return self._thrown_away(*found.groups())
        if (method, path) == ("DELETE", "/keys/{key_id}"):
            return {"key_id": self.admin.post("/keys", json={"name": MARK}).json()["id"]}
        if (method, path) == ("DELETE", "/uploads/{upload_id}"):
            return {"upload_id": self.admin.post("/uploads", **self.requests["POST", "/uploads"]).json()["id"]}
        if (method, path) == ("DELETE", "/videos/{video_id}/tracks/{number}"):
            url = f"/videos/{self.ids['video_id']}/tracks"
            return {"number": self.admin.post(url, json={"name": MARK}).json()["id"]}
        if path.endswith(("/merge", "/split")):
            url = f"/videos/{self.ids['video_id']}/labels"
            (label,) = self.requests["PUT", "/videos/{video_id}/labels"]["json"]["labels"]
            moving = [{**label, "frame_index": 40}, {**label, "track_id": self.ids["other"]}]
            assert self.admin.put(url, json={"labels": moving}).is_success
        if path == "/videos/{video_id}/reviews/{number}/undo":
            sent = self.admin.post(f"/videos/{self.ids['video_id']}/reviews", json=REVIEW)
            assert sent.status_code == 201, sent.text
            return {"number": sent.json()["id"]}
        if path.endswith("/undo"):
            url = f"/videos/{self.ids['video_id']}/labels"
            written = self.admin.put(url, **self.requests["PUT", "/videos/{video_id}/labels"])
            return {"revision": written.json()["revision"]}
        return {}

    def _thrown_away(self, things: str, name: str, restore: str | None) -> dict[str, Any]:
        """A video, a project or a lab that may be deleted; one that is, to be restored."""
        if things == "labs" and restore is None:
            return {name: self.lab_id}
        client = self.service.http if things == "labs" else self.admin
        path = f"/projects/{self.ids['project_id']}/videos" if things == "videos" else f"/{things}"
        request = self.requests["POST", "/projects/{project_id}/videos" if things == "videos" else path]
        if things == "videos":
            request = {"content": request["content"] + b"\0\0\0\x18free" + os.urandom(16)}
        elif things == "labs":
            request = {"json": {"name": f"lab {os.urandom(8).hex()}"}}
        number = client.post(path, **request).json()["id"]
        if restore is not None:
            assert client.delete(f"/{things}/{number}").status_code == 202
        return {name: number}


@pytest.fixture(scope="module")
def tenant(serving, walker, tmp_path_factory) -> Iterator[Tenant]:
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("tenant"), port=0, max_open_uploads=0))
    made = service.http.post("/labs", json={"name": MARK}).json()
    admin = httpx2.Client(
        base_url=service.http.base_url, headers={"Authorization": f"Bearer {made['key']['key']}"}, timeout=60
    )
    operator, service.http = service.http, admin
    project = service.project(walker.skeleton, MARK)
    video = service.upload(project, walker.path)
    track = service.track(video, MARK)
    other = service.track(video, MARK)
    labels = [service.label(frame, track["id"], walker.tracks[1]) for frame in range(0, 45, 4)]
    assert admin.put(f"/videos/{video['id']}/labels", json={"labels": labels}).status_code == 200
    run = service.finished(admin.post(f"/videos/{video['id']}/propagations", json={"engine": "linear"}).json())
    export = service.finished(admin.post(f"/projects/{project['id']}/exports", json={}).json())
    coco = admin.get(f"/exports/{export['result']['export_id']}/content").json()
    key = admin.post("/keys", json={"name": MARK}).json()
    tus = {"Tus-Resumable": "1.0.0"}
    project_id, filename = (b64encode(value.encode()).decode() for value in (str(project["id"]), MARK))
    metadata = f"project_id {project_id},filename {filename}"
    begin = {"headers": {**tus, "Upload-Length": "100000", "Upload-Metadata": metadata}}
    no_bytes = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    upload = admin.post("/uploads", **begin).json()
    service.http = operator
    checkpoint_id = plant_checkpoint(service, project["id"], promoted=True)
    ids = {
        "lab_id": made["id"],
        "checkpoint_id": checkpoint_id,
        "name": "report.json",
        "project_id": project["id"],
        "video_id": video["id"],
        "run_id": run["result"]["run_id"],
        "job_id": run["id"],
        "export_id": export["result"]["export_id"],
        "key_id": key["id"],
        "upload_id": upload["id"],
        "index": 3,
        "number": track["id"],
        "other": other["id"],
    }
    skeleton = {"name": "s", "keypoints": ["a"]}
    requests: dict[tuple[str, str], dict[str, Any]] = {
        ("POST", "/session"): {},
        ("DELETE", "/session"): {},
        ("POST", "/labs"): {"json": {"name": "x"}},
        ("POST", "/keys"): {"json": {"name": "x"}},
        ("DELETE", "/keys/{key_id}"): {},
        ("POST", "/projects"): {"json": {"name": "x", "skeleton": skeleton}},
        ("PATCH", "/projects/{project_id}"): {"json": {"name": f"still {MARK}"}},
        ("POST", "/projects/{project_id}/videos"): {"content": walker.path.read_bytes()},
        ("POST", "/projects/{project_id}/exports"): {"json": {}},
        ("POST", "/projects/{project_id}/exports/preview"): {"json": {}},
        ("POST", "/projects/{project_id}/trainings"): {"json": {}},
        ("POST", "/checkpoints/{checkpoint_id}/promote"): {},
        ("POST", "/videos/{video_id}/estimates"): {"json": {}},
        ("OPTIONS", "/uploads"): {},
        ("POST", "/uploads"): begin,
        ("HEAD", "/uploads/{upload_id}"): {"headers": tus},
        ("PATCH", "/uploads/{upload_id}"): {"headers": {**tus, **no_bytes}},
        ("DELETE", "/uploads/{upload_id}"): {"headers": tus},
        ("POST", "/videos/{video_id}/tracks"): {"json": {"name": MARK}},
        ("PATCH", "/videos/{video_id}/tracks/{number}"): {"json": {"name": f"still {MARK}"}},
        ("DELETE", "/videos/{video_id}/tracks/{number}"): {},
        ("POST", "/videos/{video_id}/tracks/swap"): {"json": {"a": track["id"], "b": other["id"]}},
        ("POST", "/videos/{video_id}/tracks/merge"): {
            "json": {"from": other["id"], "into": track["id"], "start": 0, "stop": 1, "prefer": "into"}
        },
        ("POST", "/videos/{video_id}/tracks/split"): {"json": {"track": track["id"], "start": 40}},
        ("PUT", "/videos/{video_id}/labels"): {"json": {"labels": labels[:1]}},
        ("DELETE", "/videos/{video_id}/labels"): {"params": {"frame_index": 44, "track_id": track["id"]}},
        ("POST", "/videos/{video_id}/labels/import"): {"json": coco},
        ("POST", "/videos/{video_id}/labels/revisions/{revision}/undo"): {},
        ("POST", "/videos/{video_id}/propagations"): {"json": {}},
        ("GET", "/videos/{video_id}/curves"): {"params": {"track_id": track["id"]}},
        ("POST", "/videos/{video_id}/reviews"): {"json": REVIEW},
        ("POST", "/videos/{video_id}/reviews/{number}/undo"): {},
        ("DELETE", "/runs/{run_id}"): {},
        ("POST", "/runs/{run_id}/restore"): {},
        ("POST", "/jobs/{job_id}/cancel"): {},
        **{
            request: {}
            for thing in ("/videos/{video_id}", "/projects/{project_id}", "/labs/{lab_id}")
            for request in (("DELETE", thing), ("POST", f"{thing}/restore"))
        },
    }
    for path in (
        *("/me", "/lab", "/labs", "/keys", "/audit", "/projects", "/jobs", "/runs/{run_id}", "/runs/{run_id}/content"),
        "/runs/{run_id}/trust",
        *("/projects/{project_id}", "/projects/{project_id}/videos", "/projects/{project_id}/exports"),
        *("/videos/{video_id}", "/videos/{video_id}/frames/{index}", "/videos/{video_id}/content"),
        "/videos/{video_id}/times",
        *("/videos/{video_id}/tracks", "/videos/{video_id}/labels", "/videos/{video_id}/runs"),
        "/videos/{video_id}/labels/revisions",
        *("/videos/{video_id}/reviews", "/videos/{video_id}/review-queue", "/projects/{project_id}/review-queue"),
        *("/videos/{video_id}/poses", "/videos/{video_id}/timeline"),
        *("/jobs/{job_id}", "/jobs/{job_id}/events", "/jobs/{job_id}/log"),
        *("/exports/{export_id}", "/exports/{export_id}/content"),
        *("/projects/{project_id}/checkpoints", "/checkpoints/{checkpoint_id}", "/checkpoints/{checkpoint_id}/content"),
        "/checkpoints/{checkpoint_id}/files/{name}",
    ):
        requests["GET", path] = {}
    yield Tenant(service, admin, made["id"], ids, requests)
    admin.close()


@pytest.fixture(scope="module")
def workroom(serving, tmp_path_factory) -> Any:
    """A service for many desks."""
    return serving(Settings(data_dir=tmp_path_factory.mktemp("workroom"), port=0))


@pytest.fixture
def desk(workroom, walker) -> Desk:
    """A video with three tracks of two keypoints, and nothing labelled."""
    project = workroom.project(Skeleton(name="two", keypoints=("a", "b")))
    video = workroom.upload(project, walker.path)
    for name in ("anna", "ben", "cleo"):
        workroom.track(video, name)
    return Desk(workroom, project, video)
