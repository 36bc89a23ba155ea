"""How long a body may take is told by what its client takes, not by what the route does in between."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from starlette.exceptions import HTTPException

from app import bodies as module
from app.bodies import Bodies, Room
from app.errors import Silence
from app.keys.service import Caller, Role

LONG = 100.0


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


async def somebody(request):
    return Caller(lab_id=1, key_id=1, role=Role.ADMIN)


def read(monkeypatch, *, of_client, of_route):
    """Read a body in three pieces; gives how many came."""
    clock, came = Clock(), []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))

    async def route(scope, receive, send):
        while not came or came[-1]["more_body"]:
            came.append(await receive())
            clock.now += of_route

    async def receive():
        clock.now += of_client
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"x", "more_body": len(came) < 2}

    reader = Bodies(route, somebody, usual=10, silence=10.0, room=Room(10, 10))
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"3")]}
    asyncio.run(reader(scope, receive, None))
    return len(came)


def test_a_route_may_take_its_time_between_two_pieces(monkeypatch):
    assert read(monkeypatch, of_client=1.0, of_route=LONG) == 3


def test_a_client_may_not(monkeypatch):
    with pytest.raises(HTTPException) as caught:
        read(monkeypatch, of_client=LONG, of_route=0.0)
    assert isinstance(caught.value.__cause__, Silence)
