"""Who may do what, to whose rows, and how many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from app.keys.service import Role

VERBS = ("get", "put", "post", "patch", "delete")


@pytest.fixture(scope="module")
def furnished(house):
    """Also with a run and an export."""
    for path in (f"{house.url}/propagations", f"/projects/{house.project['id']}/exports"):
        job = house.http.post(path, json={})
        assert house.service.finished(job.json())["state"] == "succeeded"
    return house


def operations(house):
    """Every route of the API as method and path template."""
    schema = house.http.get("/openapi.json").json()
    return [
        (verb.upper(), path.removeprefix("/api/v1"), operation)
        for path, item in schema["paths"].items()
        if path.startswith("/api/v1")
        for verb, operation in item.items()
        if verb in VERBS
    ]


BODIES = {
    "/videos/{video_id}/labels": {"labels": [{"frame_index": 0, "track_id": 1, "keypoints": []}]},
    "/videos/{video_id}/tracks": {"name": "x"},
}


def call(client, method, path):
    query = {"frame_index": 0, "track_id": 1} if method == "DELETE" and path.endswith("labels") else None
    body = BODIES.get(path, {}) if method in ("PUT", "POST", "PATCH") else None
    number = path.replace("{index}", "0").replace("{key_id}", "1")
    for name in ("project_id", "video_id", "run_id", "job_id", "export_id", "upload_id"):
        number = number.replace(f"{{{name}}}", "1")
    assert "{" not in number, f"an id this test does not know: {path}"
    return client.request(method, number, params=query, json=body)


def test_nothing_of_a_lab_is_visible_to_another(furnished, other_lab, everything, refused):
    routes = [(method, path) for method, path, _ in operations(furnished) if "{" in path]
    assert len(routes) > 20
    with furnished.client(Role.ADMIN, other_lab) as stranger:
        before = everything(furnished.service)
        for method, path in routes:
            refused(call(stranger, method, path), 404)
        assert everything(furnished.service) == before
        for path in ("/projects", "/jobs"):
            assert stranger.get(path).json()["items"] == []
        assert [key["id"] for key in stranger.get("/keys").json()["items"]] != [1]


def test_the_lab_itself_finds_what_strangers_do_not(furnished):
    answers = {path: call(furnished.http, "GET", path) for method, path, _ in operations(furnished) if method == "GET"}
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}


def test_every_route_wants_a_key(furnished, refused, everything):
    before = everything(furnished.service)
    with httpx2.Client(base_url=furnished.http.base_url) as nobody:
        for method, path, _ in operations(furnished):
            answer = call(nobody, method, path)
            refused(answer, 401)
            assert answer.headers["www-authenticate"] == "Bearer"
    assert everything(furnished.service) == before


def test_readers_only_read(furnished, refused, everything):
    before = everything(furnished.service)
    with furnished.client(Role.READER) as reader:
        for method, path, _ in operations(furnished):
            if method != "GET" or path == "/keys":
                refused(call(reader, method, path), 403)
            else:
                assert call(reader, method, path).status_code == 200
    assert everything(furnished.service)["label"] == before["label"]


@pytest.mark.parametrize(
    ("role", "allowed"), [(Role.READER, set()), (Role.ANNOTATOR, {"track"}), (Role.LAB, {"track", "project"})]
)
def test_each_role_includes_the_ones_before_it(house, role, allowed):
    requests = {
        "track": (f"{house.url}/tracks", {"name": "x"}),
        "project": ("/projects", {"name": "x", "skeleton": {"name": "s", "keypoints": ["a"]}}),
        "key": ("/keys", {"name": "x"}),
    }
    with house.client(role) as client:
        codes = {name: client.post(path, json=body).status_code for name, (path, body) in requests.items()}
    assert codes == {name: 201 if name in allowed else 403 for name in requests}


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer x", "Basic YTpi", *(f"Bearer pt_{n}_{'A' * 43}" for n in (1, 99999, 10**14))]
)
def test_keys_that_are_not_known(house, refused, header):
    answer = httpx2.get(f"{house.http.base_url}me", headers={"Authorization": header})
    refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_keys_end(house, refused):
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    made = {when: house.http.post("/keys", json={"name": "k", "expires_at": when}).json() for when in (soon, past)}

    def me(when):
        return httpx2.get(f"{house.http.base_url}me", headers={"Authorization": f"Bearer {made[when]['key']}"})

    assert me(soon).json()["role"] == "annotator"
    assert "expired" in refused(me(past), 401)["detail"]
    assert house.http.delete(f"/keys/{made[soon]['id']}").status_code == 204
    assert "revoked" in refused(me(soon), 401)["detail"]
    refused(house.http.delete("/keys/9999"), 404)


@pytest.mark.slow
def test_a_hundred_writers_and_readers_at_once_are_all_served(house):
    """More than there are threads and connections: nobody may wait for what another one needs to go on."""

    def write(number):
        return client.post(f"{house.url}/tracks", json={"name": str(number)}).status_code

    def read(number):
        return client.get(f"{house.url}/frames/{number % 45}", params={"width": 8}).status_code

    limits = httpx2.Limits(max_connections=120)
    with (
        httpx2.Client(base_url=house.http.base_url, headers=house.http.headers, timeout=60, limits=limits) as client,
        ThreadPoolExecutor(120) as pool,
    ):
        assert set(pool.map(write, range(120))) == {201}
        assert set(pool.map(read, range(120))) == {200}
