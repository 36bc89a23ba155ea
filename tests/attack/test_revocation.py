"""Who may not act any more writes nothing more, however slowly the body arrives."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from app.keys.service import Role
from tests.answers import lasting
from tests.attack.conftest import as_bytes, coco, unfinished

pytestmark = pytest.mark.slow

ROUNDS = 12


@pytest.fixture
def annotator(tenant):
    with tenant.client(Role.ANNOTATOR) as client:
        yield client


def revoke(tenant, client):
    number = client.get("/me").json()["key_id"]
    assert tenant.admin.delete(f"/keys/{number}").status_code == 204


def slowly(tenant, client, method, path, body, **given):
    """Send all of a body but its last byte, end the key, send the byte; gives the status."""
    with unfinished(client, method, path, begun=body[:-1], length=len(body), **given) as connection:
        revoke(tenant, client)
        connection.sendall(body[-1:])
        return int(connection.recv(4096).split()[1])


def labels(tenant):
    return tenant.admin.get(f"/videos/{tenant.ids['video_id']}/labels").json()


@pytest.mark.parametrize("what", ["labels", "import", "undo", "track"])
def test_what_a_slow_body_would_write(tenant, annotator, walker, what):
    url = f"/videos/{tenant.ids['video_id']}"
    before = labels(tenant)
    tracks = tenant.admin.get(f"{url}/tracks").json()
    put = as_bytes(tenant.requests["PUT", "/videos/{video_id}/labels"]["json"])
    method, path, body = {
        "labels": ("PUT", f"{url}/labels", put),
        "import": (
            "POST",
            f"{url}/labels/import",
            as_bytes(coco(1, frames=45, keypoints=walker.skeleton.keypoints)),
        ),
        "undo": ("POST", f"{url}/labels/revisions/1/undo", b"{}"),
        "track": ("POST", f"{url}/tracks", json.dumps({"name": "late"}).encode()),
    }[what]
    assert slowly(tenant, annotator, method, path, body) == 401
    assert labels(tenant) == before
    assert tenant.admin.get(f"{url}/tracks").json() == tracks


def test_a_slow_upload(tenant, annotator, pair):
    url = f"/projects/{tenant.ids['project_id']}/videos"
    before = lasting(tenant.admin.get(url))
    given = {"headers": {"Content-Type": "application/octet-stream"}}
    assert slowly(tenant, annotator, "POST", url, pair.path.read_bytes(), **given) == 401
    assert lasting(tenant.admin.get(url)) == before


def test_the_last_piece_of_an_upload(tenant, annotator, pair):
    url = f"/projects/{tenant.ids['project_id']}/videos"
    before = lasting(tenant.admin.get(url))
    data = pair.path.read_bytes()
    begin = tenant.requests["POST", "/uploads"]["headers"]
    upload = annotator.post("/uploads", headers={**begin, "Upload-Length": str(len(data))}).json()["id"]
    fields = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    assert slowly(tenant, annotator, "PATCH", f"/uploads/{upload}", data, headers=fields) == 401
    assert lasting(tenant.admin.get(url)) == before


def test_two_admins_cannot_end_each_other(tenant):
    for number in range(ROUNDS):
        made = tenant.service.http.post("/labs", json={"name": f"two admins {number}"}).json()["key"]
        with client(tenant, made["key"]) as first:
            second_key = first.post("/keys", json={"name": "second", "role": "admin"}).json()
            with client(tenant, second_key["key"]) as second, ThreadPoolExecutor(2) as pool:
                asked = [pool.submit(first.delete, f"/keys/{second_key['id']}")]
                asked.append(pool.submit(second.delete, f"/keys/{made['id']}"))
                codes = sorted(one.result().status_code for one in asked)
                assert codes[0] == 204
                assert codes[1] in (401, 409)
                assert sorted((first.get("/me").status_code, second.get("/me").status_code)) == [200, 401]


def client(tenant, key):
    return httpx2.Client(base_url=tenant.service.http.base_url, headers={"Authorization": f"Bearer {key}"}, timeout=60)
