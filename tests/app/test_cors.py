"""Pages of listed origins may call the API from a browser, and no others."""

from __future__ import annotations

import httpx2
import pytest

from app.main import create_app
from app.settings import Settings

LAB, OTHER = "https://lab.example.org", "https://evil.example"
PROJECT = {"name": "x", "skeleton": {"name": "s", "keypoints": ["a"]}}


@pytest.fixture(scope="module")
def open_service(serving, tmp_path_factory):
    origins = f"{LAB}, http://localhost:5173"
    return serving(Settings(data_dir=tmp_path_factory.mktemp("cors"), port=0, cors_origins=origins))


def preflight(service, path, method, headers, origin=LAB):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return httpx2.request("OPTIONS", f"{service.http.base_url}{path}", headers=asked, timeout=60)


@pytest.mark.parametrize("origin", [LAB, "http://localhost:5173"])
def test_listed_origins_read_answers_and_their_headers(open_service, origin):
    answer = open_service.http.get("projects", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "Origin" in answer.headers["vary"]
    shown = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert {"ETag", "Location", "Upload-Offset", "Tus-Resumable", "Retry-After", "Content-Range"} <= shown


def test_errors_can_be_read_too(open_service):
    for answer in (
        httpx2.get(f"{open_service.http.base_url}projects", headers={"Origin": LAB}, timeout=60),
        open_service.http.get("projects/99", headers={"Origin": LAB}),
    ):
        assert answer.status_code in (401, 404)
        assert answer.headers["access-control-allow-origin"] == LAB


@pytest.mark.parametrize("origin", [OTHER, "null", f"{LAB}.evil.example", "http://lab.example.org", f"{LAB}:8443"])
def test_other_origins_are_told_nothing(open_service, origin):
    answer = open_service.http.get("projects", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-origin" not in preflight(open_service, "projects", "POST", "", origin).headers


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("uploads", "POST", "authorization,tus-resumable,upload-length,upload-metadata"),
        ("uploads/abc", "PATCH", "authorization,tus-resumable,upload-offset,upload-checksum,content-type"),
        ("uploads/abc", "HEAD", "authorization,tus-resumable"),
        ("videos/1/labels", "PUT", "authorization,content-type,if-match,idempotency-key"),
        ("videos/1/content", "GET", "authorization,range,if-range"),
        ("jobs/1/events", "GET", "authorization,last-event-id"),
        ("runs/1", "DELETE", "authorization"),
    ],
)
def test_preflights(open_service, path, method, headers):
    answer = preflight(open_service, path, method, headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == LAB
    assert method in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_what_a_server_says_of_its_uploads_is_still_heard(open_service):
    answer = open_service.http.request("OPTIONS", "uploads", headers={"Origin": LAB})
    assert "creation" in answer.headers["tus-extension"]
    assert answer.headers["access-control-allow-origin"] == LAB


@pytest.fixture
def browser(open_service):
    """A browser with a session."""
    opened = open_service.http.post("session")
    cookie = opened.headers["set-cookie"].partition(";")[0]
    with httpx2.Client(base_url=open_service.http.base_url, headers={"Cookie": cookie}, timeout=60) as http:
        yield http


@pytest.mark.parametrize("site", [{}, {"Sec-Fetch-Site": "same-site"}])
def test_a_page_of_a_listed_origin_may_use_the_session(browser, refused, site):
    assert browser.post("projects", json=PROJECT, headers={"Origin": LAB, **site}).status_code == 201
    refused(browser.post("projects", json=PROJECT, headers={"Origin": OTHER, **site}), 403)


def test_without_a_list_nobody_is_let_in(serving, tmp_path):
    service = serving(Settings(data_dir=tmp_path, port=0))
    assert "access-control-allow-origin" not in service.http.get("projects", headers={"Origin": LAB}).headers


def test_all_origins_without_credentials(serving, tmp_path, refused):
    service = serving(Settings(data_dir=tmp_path, port=0, cors_origins=["*"], cors_credentials=False))
    answer = service.http.get("projects", headers={"Origin": OTHER})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    cookie = service.http.post("session").headers["set-cookie"].partition(";")[0]
    with httpx2.Client(base_url=service.http.base_url, headers={"Cookie": cookie, "Origin": OTHER}, timeout=60) as http:
        refused(http.post("projects", json=PROJECT), 403)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cors_origins": "*"}, "cookies"),
        ({"cors_origins": f"{LAB},*"}, "cookies"),
        ({"cors_origins": "*", "cors_credentials": False, "auth": False}, "asks for no key"),
        ({"cors_origins": "lab.example.org"}, "is no origin"),
        ({"cors_origins": f"{LAB}/"}, "is no origin"),
        ({"cors_origins": f"{LAB}:443"}, "is no origin"),
        ({"cors_origins": "https://Lab.example.org"}, "is no origin"),
        ({"cors_origins": "null"}, "is no origin"),
        ({"cors_origins": "ftp://lab.example.org"}, "is no origin"),
        ({"cors_origins": "https://lab.example.org:x"}, "is no origin"),
    ],
)
def test_what_lets_in_too_many_is_refused_at_the_start(tmp_path, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        create_app(Settings(data_dir=tmp_path, **wrong))


@pytest.mark.parametrize("text", ["", " ", ","])
def test_an_empty_list_is_none(monkeypatch, text):
    monkeypatch.setenv("POSETWEEN_CORS_ORIGINS", text)
    assert Settings().cors_origins == []
