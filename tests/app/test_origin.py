"""A service without keys is for this machine alone, even when a page from elsewhere runs in its browser."""

from __future__ import annotations

import pytest

from app.origin import is_loopback
from app.settings import Settings

PROJECT = {"name": "x", "skeleton": {"name": "s", "keypoints": ["a"]}}


@pytest.fixture(scope="module")
def unlocked(serving, tmp_path_factory):
    service = serving(Settings(data_dir=tmp_path_factory.mktemp("unlocked"), port=0, auth=False))
    del service.http.headers["Authorization"]
    return service


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Host": "localhost"}, {"Host": "[::1]:80"}]
)
def test_who_sits_at_the_machine_may_do_everything(unlocked, headers):
    assert unlocked.http.post("/projects", json=PROJECT, headers=headers).status_code == 201


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"}]
)
def test_other_sites_change_nothing(unlocked, refused, everything, headers):
    before = everything(unlocked)
    refused(unlocked.http.post("/projects", json=PROJECT, headers=headers), 403)
    refused(unlocked.http.post("/runs/1/restore", headers=headers), 403)
    assert everything(unlocked) == before


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "192.168.1.5", "localhost.evil.example"])
def test_a_name_that_was_pointed_at_this_machine_reads_nothing(unlocked, refused, host):
    refused(unlocked.http.get("/projects", headers={"Host": host}), 403)


@pytest.mark.parametrize(
    ("host", "is_one"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
    ],
)
def test_what_is_loopback(host, is_one):
    assert is_loopback(host) is is_one
