"""Whatever goes wrong is a problem document, and changes nothing."""

from __future__ import annotations

import json
import logging
import pickle
import socket
import sqlite3

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import errors, problems
from app.bodies import Bodies, Room
from app.database import connect
from app.main import create_app
from app.settings import Settings
from tests.services import free_port


@pytest.fixture(autouse=True)
def unchanged(house, everything):
    before = everything(house.service)
    yield
    assert everything(house.service) == before


@pytest.mark.parametrize("path", ["/nowhere", "/videos", "/projects/1/nothing", "/videos/1/frames"])
def test_unknown_routes_are_not_found(house, refused, path):
    refused(house.http.get(path), 404)


@pytest.mark.parametrize(("method", "path"), [("PUT", "/projects"), ("PUT", "/videos/1"), ("TRACE", "/jobs")])
def test_unknown_methods_say_which_are_known(house, refused, method, path):
    answer = house.http.request(method, path)
    refused(answer, 405)
    assert answer.headers["allow"]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "9" * 30, "9" * 5000, "%00", "1e3"])
@pytest.mark.parametrize(
    "path", ["/projects/{}", "/videos/{}", "/runs/{}", "/jobs/{}", "/exports/{}", "/videos/{}/runs"]
)
def test_ids_are_numbers_in_range(house, refused, path, number):
    problem = refused(house.http.get(path.format(number)), 422)
    assert problem["errors"][0]["location"] == "path"


@pytest.mark.parametrize(
    ("path", "query", "pointer"),
    [
        ("/projects", {"limit": "0"}, "/limit"),
        ("/projects", {"limit": "201"}, "/limit"),
        ("/projects", {"limit": "9" * 40}, "/limit"),
        ("/projects", {"cursor": "?"}, "/cursor"),
        ("/projects", {"cursor": "MTIzeA=="}, "/cursor"),
        ("/projects", {"cursor": "LTU="}, "/cursor"),
        ("/projects", {"cursor": "x" * 65}, "/cursor"),
        ("/jobs", {"state": "asleep"}, "/state"),
        ("/jobs", {"video_id": "9" * 40}, "/video_id"),
        ("/videos/1/labels", {"start": "-1"}, "/start"),
        ("/videos/1/labels", {"stop": "9" * 40}, "/stop"),
        ("/videos/1/labels", {"layer": "deep"}, "/layer"),
        ("/videos/1/labels", {"revision": "latest"}, "/revision"),
        ("/videos/1/frames/0", {"width": "0"}, "/width"),
        ("/videos/1/frames/0", {"width": "9" * 40}, "/width"),
        ("/videos/1/frames/0", {"format": "bmp"}, "/format"),
        ("/videos/1/frames/-1", {}, "/index"),
        ("/videos/1/frames/" + "9" * 40, {}, "/index"),
    ],
)
def test_bad_parameters_are_named(house, refused, path, query, pointer):
    refused(house.http.get(path, params=query), 422, pointer)


def test_a_frame_that_is_not_there(house, refused):
    refused(house.http.get("/videos/1/frames/45"), 404, "/index")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b"nothing",
        b'{"name": "x", "name"}',
        b"[" * 100_000,
        b"[" * 600 + b"NaN" + b"]" * 600,
        b'{"labels": ' + b"[" * 100_000,
        b'{"x":' * 100_000 + b"1" + b"}" * 100_000,
        b"9" * 10_000,
        b'"\\ud800"',
        b"[]",
        b"null",
        b"1e999",
        b'{"\\ud800": NaN}',
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/projects"),
        ("POST", "/keys"),
        ("POST", "/videos/1/tracks"),
        ("POST", "/videos/1/propagations"),
        ("POST", "/projects/1/exports"),
        ("PUT", "/videos/1/labels"),
        ("POST", "/videos/1/labels/import"),
    ],
)
def test_bodies_that_are_not_what_they_should_be(house, refused, method, path, body):
    answer = house.http.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    refused(answer, answer.status_code)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", "x", ""])
def test_other_content_types_are_refused_where_json_is_wanted(house, refused, kind):
    body = {"name": "x", "skeleton": {"name": "s", "keypoints": ["a"]}}
    answer = house.http.post("/projects", content=json.dumps(body), headers={"Content-Type": kind})
    assert answer.status_code in (415, 422)
    refused(answer, answer.status_code)


@pytest.mark.parametrize("path", ["/projects", "/videos/1/labels/import"])
def test_a_body_that_is_too_large_is_refused(house, refused, path):
    size = house.service.settings.max_json_bytes
    headers = {"Content-Type": "application/json"}
    refused(house.http.post(path, content=b" " * (size + 1), headers=headers), 413)
    pieces = (b" " * 2**20 for _ in range(size // 2**20 + 1))
    refused(house.http.post(path, content=pieces, headers=headers), 413)


def test_a_request_that_breaks_off_leaves_the_service_well(house):
    address = (house.http.base_url.host, house.http.base_url.port)
    for path in ("projects", "videos/1/labels/import", "projects/1/videos"):
        head = f"POST /api/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {house.service.key}\r\n"
        with socket.create_connection(address) as connection:
            connection.sendall(head.encode() + b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
    assert house.http.get("/projects/1").status_code == 200


@pytest.mark.slow
def test_a_locked_database_asks_to_come_again(house, refused):
    lock = sqlite3.connect(house.service.settings.data_dir / "posetween.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    try:
        assert house.http.get("/projects/1").status_code == 200
        answer = house.http.post(f"{house.url}/tracks", json={"name": "waits"})
    finally:
        lock.close()
    refused(answer, 503)
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects"),
        ("POST", "/projects"),
        ("PUT", "/videos/1/labels"),
        ("POST", "/videos/1/labels/import"),
        ("POST", "/projects/1/videos"),
    ],
)
def test_a_database_that_is_away_is_no_mistake_of_ours_nor_of_the_body(refused, tmp_path, method, path):
    url = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing"
    app = create_app(Settings(data_dir=tmp_path, database_url=url))
    headers = {"Authorization": f"Bearer pt_1_{'x' * 43}"}
    answer = TestClient(app).request(method, f"/api/v1{path}", headers=headers, json=None if method == "GET" else {})
    refused(answer, 503)
    assert "does not answer" in answer.json()["detail"]
    assert answer.headers["retry-after"] == "1"


def end_in_the_middle(database):
    with database.session() as session:
        me = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with database.session() as other:
            other.execute(text("SELECT pg_terminate_backend(:me)"), {"me": me})
        session.execute(text("SELECT 1"))


def test_a_connection_that_postgres_ended_is_no_mistake_of_ours(new_postgres):
    database = connect(new_postgres())
    with pytest.raises(DBAPIError) as ended:
        end_in_the_middle(database)
    trouble = errors.database_trouble(ended.value)
    assert trouble is not None
    assert trouble.status == 503
    with database.session() as session, pytest.raises(DBAPIError) as wrong:
        session.execute(text("SELECT nonsense"))
    assert errors.database_trouble(wrong.value) is None
    database.dispose()


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("POST", {"a": 1})])
def test_a_mistake_of_ours_tells_nothing_of_the_inside(refused, caplog, method, body):
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    @app.post("/")
    def broken(body: dict[str, int] | None = None) -> None:
        raise RuntimeError("secret")

    async def nobody_knows(request):
        raise RuntimeError("secret")

    whole = Bodies(app, nobody_knows, usual=100, silence=1.0, room=Room(100, 100))
    with caplog.at_level(logging.CRITICAL):
        answer = TestClient(whole, raise_server_exceptions=False).request(method, "/", json=body)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    refused(answer, 500)


def test_the_sentence_of_a_problem_names_the_field(house):
    problem = house.http.post(f"{house.url}/tracks", json={"name": ""}).json()
    assert problem["detail"].startswith("/name: ")


def test_a_connection_without_a_key_is_told_how_to_send_one(house, refused):
    answer = httpx2.get(f"{house.http.base_url}projects", timeout=60)
    refused(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def kinds(kind=errors.ServiceError):
    return {kind, *(one for below in kind.__subclasses__() for one in kinds(below))}


GIVEN = {
    errors.MissingObject: (["0" * 64], {}),
    errors.DamagedObject: (["0" * 64, "1" * 64], {}),
    errors.TooMany: (["a sentence"], {"retry_after": 3, "headers": {"X-Limit": "5"}}),
}
FIELD = errors.FieldProblem(pointer="/a", detail="wrong")


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda kind: kind.__name__))
def test_an_error_comes_whole_out_of_another_process(kind):
    given, named = GIVEN.get(kind, (["a sentence", [FIELD]], {"after": 5}))
    error = kind(*given, **named)
    error.headers["X-More"] = "yes"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
    assert again.detail == str(error)
