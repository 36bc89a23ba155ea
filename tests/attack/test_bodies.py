"""Bodies that nobody asked for, that are too large or too many, that do not end or are odd."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from threading import Thread
from urllib.parse import urlparse

import pytest

from app.keys.service import Role
from app.main import PREFIX
from app.settings import MIB, Settings
from tests.app.conftest import client_of
from tests.attack.conftest import PATIENCE, unfinished

SILENCE = 1.0

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def strict(serving, walker, tmp_path_factory):
    """A service with little patience and little room for bodies."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("strict"),
        port=0,
        body_silence_seconds=SILENCE,
        max_json_bytes=16 * MIB,
        max_buffered_bytes=24 * MIB,
        max_connections=40,
    )
    service = serving(settings)
    service.upload(service.project(walker.skeleton), walker.path)
    return service


def answer_to(connection, seconds=PATIENCE):
    """Status and text of what comes on a connection until it ends."""
    connection.settimeout(seconds)
    said = b""
    while b"\r\n\r\n" not in said or b"errors" not in said:
        piece = connection.recv(4096)
        if not piece:
            break
        said += piece
    return int(said.split()[1]), said.decode()


@pytest.mark.parametrize("path", ["/projects", "/keys", "/videos/1/labels/import", "/videos/1/propagations"])
def test_nothing_is_read_for_nobody(strict, path):
    strict.http.headers.pop("authorization")
    try:
        with unfinished(strict.http, "POST", path, length=900_000) as connection:
            status, said = answer_to(connection)
    finally:
        strict.http.headers["authorization"] = f"Bearer {strict.key}"
    assert status == 401, said


def test_much_json_of_nobody_stops_nobody(strict):
    """The attempt of the report: 60 MB, parsed on the event loop before anybody asked for the key."""
    address = urlparse(str(strict.http.base_url))
    head = f"POST {PREFIX}/projects HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {60 * MIB}\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"{head}\r\n".encode())
        status, _ = answer_to(connection)
        assert status == 401
        began = time.monotonic()
        assert strict.http.get("/me").status_code == 200
        assert time.monotonic() - began < PATIENCE / 2


@pytest.mark.parametrize(("path", "most"), [("/projects", MIB), ("/keys", MIB), ("/videos/1/labels/import", 16 * MIB)])
def test_a_body_has_as_many_bytes_as_its_route_says(strict, refused, path, most):
    problem = refused(strict.http.post(path, content=b" " * (most + 1), headers=JSON), 413)
    assert str(most) in problem["detail"]
    pieces = (b" " * (MIB // 4) for _ in range(4 * most // MIB + 1))
    refused(strict.http.post(path, content=pieces, headers=JSON), 413)


@pytest.mark.parametrize("path", ["/projects", "/keys", "/videos/1/labels/import"])
def test_a_body_that_stands_still_ends(strict, path):
    with unfinished(strict.http, "POST", path) as connection:
        status, said = answer_to(connection)
    assert status == 408, said
    assert f"{SILENCE:g} s" in said


def test_a_body_that_comes_byte_by_byte_ends(strict):
    with unfinished(strict.http, "POST", "/projects") as connection:
        deadline = time.monotonic() + 5 * SILENCE
        connection.settimeout(SILENCE / 5)
        said = b""
        while not said:
            assert time.monotonic() < deadline, "it may go on for ever"
            connection.sendall(b" ")
            try:
                said = connection.recv(4096)
            except TimeoutError:
                continue
    assert said.split()[1] == b"408"
    assert b"too slowly" in said


def test_a_body_that_comes_fast_enough_may_take_longer_than_the_silence(strict):
    body = json.dumps({"name": "slow", "role": "reader"}).encode().ljust(200_000)
    with unfinished(strict.http, "POST", "/keys", begun=b"", length=len(body)) as connection:
        began = time.monotonic()
        for first in range(0, len(body), 20_000):
            connection.sendall(body[first : first + 20_000])
            time.sleep(SILENCE / 6)
        assert time.monotonic() - began > SILENCE
        assert connection.recv(4096).split()[1] == b"201"


def test_bodies_of_a_lab_have_half_the_room_together(strict, refused):
    other = strict.http.post("/labs", json={"name": "other"}).json()
    path = "/videos/1/labels/import"
    with client_of(strict, Role.ADMIN, other["id"]) as client, ExitStack() as held:
        for _ in range(2):
            begun = b" " * (8 * MIB - 1)
            held.enter_context(unfinished(client, "POST", path, begun=begun, length=16 * MIB))
        time.sleep(SILENCE / 5)
        problem = refused(client.post(path, content=b" " * MIB, headers=JSON), 429)
        assert "POSETWEEN_MAX_BUFFERED_BYTES" in problem["detail"]
        assert strict.http.post("/keys", json={"name": "meanwhile"}).status_code == 201
    time.sleep(2 * SILENCE)
    with client_of(strict, Role.ADMIN, other["id"]) as client:
        assert client.post("/keys", json={"name": "afterwards"}).status_code == 201


@pytest.mark.parametrize("depth", [400, 900, 50_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("path", ["/videos/1/labels", "/videos/1/labels/import", "/projects", "/videos/1/tracks"])
def test_nested_json_is_refused(strict, refused, path, encoding, depth):
    body = ("[" * depth + "]" * depth).encode(encoding)
    method = "PUT" if path.endswith("labels") else "POST"
    answer = strict.http.request(method, path, content=body, headers=JSON)
    refused(answer, answer.status_code)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize(("path", "field"), [("/videos/1/labels", b"labels"), ("/videos/1/labels/import", b"images")])
def test_nan_first_in_a_long_body_is_refused_as_fast_as_a_good_body_is_read(strict, refused, path, field):
    body = b'{"%b": [NaN], "annotations": [' % field + b"[0.5, 1.5, 2]," * 1_000_000 + b"0]}"
    assert len(body) > 13 * MIB
    method = "PUT" if path.endswith("labels") else "POST"
    began = time.monotonic()
    answer = strict.http.request(method, path, content=body, headers=JSON)
    assert time.monotonic() - began < PATIENCE / 2
    problem = refused(answer, answer.status_code)
    assert answer.status_code in (400, 422)
    assert "byte" in problem["detail"]


@pytest.mark.parametrize(
    "half", [b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"", b"POST /api/v1/projects HTTP/1.1\r\nHos"]
)
def test_health_answers_beside_more_half_open_connections_than_there_may_be(strict, half):
    address = urlparse(str(strict.http.base_url))
    with ExitStack() as held:
        for _ in range(3 * strict.settings.max_connections):
            connection = socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
            held.enter_context(connection)
            if half:
                connection.sendall(half)
        assert health(address) == 200
        assert strict.http.get("/me").status_code == 200


def health(address):
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return int(connection.recv(4096).split()[1])


def test_a_head_that_does_not_end_is_refused(strict):
    address = urlparse(str(strict.http.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\n")
        sender = Thread(target=pour, args=[connection])
        sender.start()
        status, said = answer_to(connection)
        sender.join()
    assert status == 431, said
    assert health(address) == 200


def pour(connection):
    for number in range(40):
        try:
            connection.sendall(b"X-%d: %b\r\n" % (number, b"x" * 4000))
        except OSError:
            return


@pytest.mark.slow
def test_a_head_that_stands_still_ends(strict):
    address = urlparse(str(strict.http.base_url))
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        assert connection.recv(4096) == b""
        assert time.monotonic() - began < 20
