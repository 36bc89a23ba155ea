"""Keys are kept as digests, shown once, and the last admin cannot lock everybody out."""

from __future__ import annotations

import stat

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
