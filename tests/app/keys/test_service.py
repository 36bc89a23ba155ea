"""Keys are kept as digests, shown once, and the last admin cannot lock everybody out."""

from __future__ import annotations

import stat

import httpx2
import pytest

from app.settings import Settings
from cli.serve import prepare


@pytest.fixture(scope="module")
def safe(serving, tmp_path_factory):
    return serving(Settings(data_dir=tmp_path_factory.mktemp("keys"), port=0))


def test_the_admin_s_key_is_in_a_file_that_only_its_owner_reads(safe):
    file = safe.settings.admin_key_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert safe.http.get("/me").json()["role"] == "admin"


def test_the_key_stays_the_same_at_the_next_start(safe):
    key = safe.settings.admin_key_file.read_text()
    prepare(safe.settings)
    assert safe.settings.admin_key_file.read_text() == key


def test_a_key_file_that_does_not_fit_the_database_is_made_anew(tmp_path):
    settings = Settings(data_dir=tmp_path)
    settings.admin_key_file.write_text("pt_1_" + "A" * 43)
    prepare(settings)
    assert "AAAA" not in settings.admin_key_file.read_text()
    assert stat.S_IMODE(settings.admin_key_file.stat().st_mode) == 0o600


def test_a_key_is_shown_once(safe, everything):
    made = safe.http.post("/keys", json={"name": "once"}).json()
    _, number, secret = made["key"].split("_", 2)
    assert int(number) == made["id"]
    assert not any("key" in key for key in safe.http.get("/keys").json()["items"])
    assert not any(secret in row for row in everything(safe)["api_key"])


@pytest.mark.parametrize(
    ("path", "body", "part"), [("/keys", {"name": "k", "role": "admin"}, None), ("/labs", {"name": "elsewhere"}, "key")]
)
def test_who_repeats_a_request_is_told_the_same_key_and_nobody_else_is(safe, everything, refused, path, body, part):
    once = {"Idempotency-Key": f"of {path}"}
    first = safe.http.post(path, json=body, headers=once)
    assert (first.status_code, safe.http.post(path, json=body, headers=once).text) == (201, first.text)
    made = first.json()[part] if part else first.json()
    secret = made["key"].split("_", 2)[2]
    with httpx2.Client(
        base_url=safe.http.base_url, headers={"Authorization": f"Bearer {made['key']}"}, timeout=60
    ) as theirs:
        assert theirs.get("/me").json()["key_id"] == made["id"]
    rows = everything(safe)
    assert not any(secret in row for table in rows.values() for row in table)
    assert len([row for row in rows["idempotency"] if f"of {path}" in row]) == 1
    other = safe.http.post("/keys", json={"name": "another admin", "role": "admin"}).json()
    with httpx2.Client(
        base_url=safe.http.base_url, headers={"Authorization": f"Bearer {other['key']}"}, timeout=60
    ) as another:
        assert "told to nobody else" in refused(another.post(path, json=body, headers=once), 409)["detail"]
    assert safe.http.delete(f"/keys/{other['id']}").status_code == 204
    assert safe.http.delete(f"/keys/{made['id']}").status_code == (204 if part is None else 404)


def test_without_authentication_a_key_is_made_once_and_told_once(serving, tmp_path, refused):
    open_ = serving(Settings(data_dir=tmp_path / "data", port=0, auth=False))
    once = {"Idempotency-Key": "open"}
    made = open_.http.post("/keys", json={"name": "k"}, headers=once)
    assert made.status_code == 201
    refused(open_.http.post("/keys", json={"name": "k"}, headers=once), 409)
    assert [key["name"] for key in open_.http.get("/keys").json()["items"]].count("k") == 1


def test_the_last_admin_key_cannot_be_revoked(safe, refused):
    refused(safe.http.delete("/keys/1"), 409)
    brief = safe.http.post(
        "/keys", json={"name": "brief", "role": "admin", "expires_at": "2999-01-01T00:00:00Z"}
    ).json()
    refused(safe.http.delete("/keys/1"), 409)
    other = safe.http.post("/keys", json={"name": "other", "role": "admin"}).json()
    assert safe.http.delete(f"/keys/{other['id']}").status_code == 204
    assert safe.http.delete(f"/keys/{other['id']}").status_code == 204
    refused(safe.http.delete("/keys/1"), 409)
    assert safe.http.delete(f"/keys/{brief['id']}").status_code == 204
    assert safe.http.get("/me").status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "x", "role": "god"}, "/role"),
        ({"name": "x", "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
        ({"name": "x", "expires_at": "soon"}, "/expires_at"),
        ({"name": "x", "expires_at": 1e300}, "/expires_at"),
    ],
)
def test_bad_keys(safe, refused, everything, body, pointer):
    before = everything(safe)
    refused(safe.http.post("/keys", json=body), 422, pointer)
    assert everything(safe) == before
