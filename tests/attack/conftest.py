"""What the attacks share: a service on either kind of database, a lab to attack from, and another that goes on working.

Every attack is bounded, and stays on loopback.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlparse

import httpx2
import pytest

from app.keys.service import Role
from app.main import PREFIX
from app.settings import Settings
from tests.app.conftest import Tenant, client_of, refused, tenant, wait_for

__all__ = ["refused", "tenant", "wait_for"]

#: Nobody else's request may take longer than this, in seconds, on a machine that does other things as well.
PATIENCE = 10.0


@pytest.fixture(scope="module")
def serving(serving: Callable[[Settings], Any], module_database_url: str) -> Callable[[Settings], Any]:
    """Start services on either kind of database; one service a module."""
    return lambda settings: serving(settings.model_copy(update={"database_url": module_database_url}))


@dataclass
class Bystander:
    """A lab that is not attacked from, in which one label is written again and again."""

    http: httpx2.Client
    video: dict[str, Any]
    label: dict[str, Any]

    def write(self, seconds: float = PATIENCE) -> None:
        """Write a label; fails where that takes too long."""
        answer = self.http.put(f"/videos/{self.video['id']}/labels", json={"labels": [self.label]}, timeout=seconds)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def bystander(tenant: Tenant, walker: Any) -> Iterator[Bystander]:
    service = tenant.service
    video = service.upload(service.project(walker.skeleton, "bystander"), walker.path)
    track = service.track(video)
    with client_of(service, Role.ANNOTATOR) as http:
        yield Bystander(http, video, service.label(3, track["id"], walker.tracks[1]))


@contextmanager
def unfinished(
    client: httpx2.Client,
    method: str,
    path: str,
    *,
    begun: bytes = b"{",
    length: int = 1000,
    headers: dict[str, str] | None = None,
    params: dict[str, Any] | None = None,
) -> Iterator[socket.socket]:
    """A request whose body was begun and never ends, for the length of a block."""
    address = urlparse(str(client.base_url))
    target = f"{PREFIX}{path}" + (f"?{urlencode(params)}" if params else "")
    fields = {
        "Host": address.netloc,
        "Authorization": client.headers.get("authorization", ""),
        "Content-Type": "application/json",
        "Content-Length": str(length),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE) as connection:
        connection.sendall(f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode() + begun)
        yield connection


def coco(tracks: int, *, frames: int, keypoints: tuple[str, ...]) -> dict[str, Any]:
    """A COCO file with one label on each of so many tracks."""
    images = [{"id": frame + 1, "file_name": f"{frame}.jpg", "frame_index": frame} for frame in range(frames)]
    points = [12.5, 20.0, 2] * len(keypoints)
    return {
        "images": [{**image, "width": 320, "height": 240} for image in images],
        "annotations": [
            {
                "id": number,
                "image_id": number % frames + 1,
                "category_id": 1,
                "track_id": number,
                "keypoints": points,
                "num_keypoints": len(keypoints),
            }
            for number in range(1, tracks + 1)
        ],
        "categories": [{"id": 1, "name": "subject", "keypoints": list(keypoints), "skeleton": []}],
    }


def as_bytes(document: dict[str, Any]) -> bytes:
    """A document as JSON."""
    return json.dumps(document).encode()
