"""A bare client of tus 1.0, and videos of any size with bytes of their own."""

from __future__ import annotations

import base64
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from app.settings import Settings

OFFSET = "application/offset+octet-stream"


def encoded(value: str | bytes) -> str:
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


class Tus:
    """A client that sends what it is told, right or wrong."""

    def __init__(self, service: Any, http: httpx2.Client | None = None) -> None:
        self.service = service
        self.http = http or service.http

    def call(self, method: str, url: str, content: Any = None, **headers: str | None) -> httpx2.Response:
        """A request; headers have underscores, None leaves one out."""
        named = {"Tus-Resumable": "1.0.0", **{name.replace("_", "-"): value for name, value in headers.items()}}
        given = {name: value for name, value in named.items() if value is not None}
        root = str(self.http.base_url).partition("/api/")[0]
        return self.http.request(method, root + url, content=content, headers=given)

    def create(self, length: int | None, content: Any = None, **headers: str | None) -> httpx2.Response:
        """Begin an upload of the first project."""
        metadata = f"filename {encoded('walk.mp4')},project_id {encoded('1')}"
        known: dict[str, str | None] = {"Upload-Length": str(length)} if length is not None else {}
        return self.call("POST", "/api/v1/uploads", content, **{"Upload-Metadata": metadata, **known, **headers})

    def begin(self, length: int | None, **headers: str | None) -> str:
        """Begin an upload and give its address."""
        answer = self.create(length, **headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    def patch(self, url: str, content: Any, offset: int, **headers: str | None) -> httpx2.Response:
        """Send bytes."""
        return self.call("PATCH", url, content, **{"Upload-Offset": str(offset), "Content-Type": OFFSET, **headers})

    def offset(self, url: str) -> int:
        """How many bytes are there."""
        answer = self.call("HEAD", url)
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["upload-offset"])

    def video(self, url: str) -> dict[str, Any]:
        """The video that a finished upload became."""
        number = self.call("HEAD", url).headers["posetween-video"]
        return self.http.get(f"/videos/{number}").json()

    @contextmanager
    def pushing(self, url: str, offset: int, length: int, **headers: str) -> Iterator[socket.socket]:
        """A connection on which a PATCH with so many bytes has begun."""
        named = {
            "Host": "x",
            "Authorization": f"Bearer {self.service.key}",
            "Tus-Resumable": "1.0.0",
            "Upload-Offset": offset,
            "Content-Type": OFFSET,
            "Content-Length": length,
            **headers,
        }
        head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in named.items())
        with socket.create_connection((self.http.base_url.host, self.http.base_url.port), timeout=20) as connection:
            connection.sendall(f"PATCH {url} HTTP/1.1\r\n{head}\r\n".encode())
            yield connection


@pytest.fixture(scope="session")
def make_video(walker) -> Callable[[int], bytes]:
    """Videos of that size, each with bytes of its own, in a box that players skip."""

    def make(size: int) -> bytes:
        clip = walker.path.read_bytes()
        gap = size - len(clip)
        assert gap > 8
        return clip + gap.to_bytes(4, "big") + b"free" + os.urandom(gap - 8)

    return make


@pytest.fixture(scope="module")
def quay(serving, tmp_path_factory, walker) -> Any:
    """A service with one project that gives up a silent connection soon."""
    service = serving(
        Settings(
            data_dir=tmp_path_factory.mktemp("quay"),
            port=0,
            max_upload_bytes=2**22,
            max_json_bytes=4000,
            max_open_uploads=0,
            upload_silence_seconds=1.5,
        )
    )
    service.project(walker.skeleton)
    return service


@pytest.fixture(scope="module")
def tus(quay) -> Tus:
    return Tus(quay)


@pytest.fixture(scope="session")
def client_of_tus() -> type[Tus]:
    return Tus
