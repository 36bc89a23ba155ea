"""Nothing of a lab is visible to another: every route, walked with another lab's ids."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from app.keys.service import Role

MARK = "of-the-tenant"


@pytest.fixture(params=["the operator", "another lab's admin"])
def stranger(request, tenant) -> Iterator[httpx2.Client]:
    if request.param == "the operator":
        yield tenant.service.http
        return
    made = tenant.service.http.post("/labs", json={"name": f"lab {request.node.name}"}).json()
    key = made["key"]["key"]
    with httpx2.Client(
        base_url=tenant.admin.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as client:
        yield client


def test_every_route_is_walked(tenant):
    assert {*tenant.requests} == {*tenant.routes()}


def test_what_another_lab_owns_is_not_there(tenant, stranger, refused, everything):
    routes = [(method, path) for method, path in tenant.routes() if "{" in path]
    assert len(routes) > 25
    for method, path in routes:
        if path.startswith("/labs/") and stranger is tenant.service.http:
            continue  # the operator looks after labs, see tests/app/trash
        request = tenant.aim(method, path)
        before = everything(tenant.service)
        problem = refused(request(stranger), 404)
        assert MARK not in str(problem)
        assert everything(tenant.service) == before, (method, path)


def test_lists_have_nothing_of_another_lab(tenant, stranger):
    routes = [path for method, path in tenant.routes() if method == "GET" and "{" not in path and path != "/labs"]
    assert {"/projects", "/jobs", "/keys", "/audit", "/lab"} <= {*routes}
    for path in routes:
        assert MARK in tenant.admin.get(path).text or path == "/jobs", path
        answer = stranger.get(path)
        assert answer.status_code == 200, path
        if path == "/audit" and stranger is tenant.service.http:
            # That they made the lab is theirs.
            assert [row["kind"] for row in answer.json()["items"] if MARK in str(row)] == ["lab.create"]
        else:
            assert MARK not in answer.text, path


@pytest.mark.parametrize(
    ("path", "name"), [("/jobs", "video_id"), ("/audit", "project_id"), ("/audit", "video_id"), ("/audit", "key_id")]
)
def test_filters_find_nothing_of_another_lab(tenant, stranger, path, name):
    number = tenant.admin.get("/me").json()["key_id"] if name == "key_id" else tenant.ids[name]
    assert tenant.admin.get(path, params={name: number}).json()["items"]
    assert stranger.get(path, params={name: number}).json()["items"] == []


def test_ids_in_a_body_are_looked_for_in_one_s_own_lab(tenant, stranger, refused, walker):
    skeleton = {"name": "s", "keypoints": list(walker.skeleton.keypoints)}
    project = stranger.post("/projects", json={"name": "mine", "skeleton": skeleton}).json()
    for number in (tenant.ids["video_id"], 10**6):
        exported = stranger.post(f"/projects/{project['id']}/exports", json={"videos": [number]})
        assert f"no video {number}" in refused(exported, 422, "/videos/0")["detail"]
    for number in (tenant.ids["checkpoint_id"], 10**6):
        trained = stranger.post(f"/projects/{project['id']}/trainings", json={"base_checkpoint_id": number})
        assert f"no checkpoint {number}" in refused(trained, 422, "/base_checkpoint_id")["detail"]
    refused(tenant.call(stranger, "POST", "/uploads"), 404)
    uploaded = stranger.post(f"/projects/{project['id']}/videos", content=walker.path.read_bytes())
    # The bytes another lab has are a new video of this one.
    assert uploaded.status_code == 201
    video = uploaded.json()["id"]
    assert video != tenant.ids["video_id"]
    tenant.service.work()
    assert stranger.get(f"/videos/{video}/labels").json()["labels"] == []
    stranger.post(f"/videos/{video}/tracks", json={"name": "mine"})
    (label, *_) = tenant.requests["PUT", "/videos/{video_id}/labels"]["json"]["labels"]
    label = {**label, "track_id": 1, "corrects_run_id": tenant.ids["run_id"]}
    written = stranger.put(f"/videos/{video}/labels", json={"labels": [label]})
    assert "no run" in refused(written, 422, "/labels/0/corrects_run_id")["detail"]
    for number in (tenant.ids["checkpoint_id"], 10**6):
        estimated = stranger.post(f"/videos/{video}/estimates", json={"checkpoint_id": number})
        assert f"no checkpoint {number}" in refused(estimated, 422, "/checkpoint_id")["detail"]


def test_an_idempotency_key_is_a_lab_s_own(tenant, stranger):
    body = tenant.requests["POST", "/projects"]["json"]
    send = {"json": {**body, "name": MARK}, "headers": {"Idempotency-Key": "same"}}
    ours = tenant.admin.post("/projects", **send).json()
    theirs = stranger.post("/projects", json=body, headers={"Idempotency-Key": "same"})
    assert (theirs.status_code, theirs.json()["name"]) == (201, "x")
    assert theirs.json()["id"] != ours["id"]


def test_the_lab_itself_gets_what_strangers_do_not(tenant):
    """Last, since it changes things: it shows that each request of the walk is right."""
    for method, path in tenant.routes():
        if path not in ("/labs", "/session", "/labs/{lab_id}/restore"):
            answer = tenant.call(tenant.admin, method, path)
            assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
    with tenant.client(Role.READER) as reader:
        assert MARK in reader.get("/projects").text
