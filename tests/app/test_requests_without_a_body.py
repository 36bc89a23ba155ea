"""A request without a body asks for nobody: the files of the page are anybody's."""

from __future__ import annotations

import asyncio

from app.bodies import Bodies, Room
from app.errors import Unauthorized


async def nobody(request):
    raise Unauthorized("send an API key")


def test_what_looks_for_a_disconnect_while_it_answers_is_not_asked_who_it_is():
    heard, sent = [], []

    async def answer(scope, receive, send):
        # As Starlette's streamed responses do.
        heard.append(await receive())
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message["status"])

    bodies = Bodies(answer, nobody, usual=1, silence=1, room=Room(1, 1))
    scope = {"type": "http", "method": "GET", "path": "/assets/index.js", "headers": []}
    asyncio.run(bodies(scope, receive, send))
    assert [message["type"] for message in heard] == ["http.request"]
    assert sent == [200]
