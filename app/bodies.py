"""Bodies on their way in: read once it is known whose they are, bounded in size, in time and in memory for all of them.

FastAPI reads a body before it looks at anything else of a request. Here nothing of it is read for somebody who is not
known, and nobody fills the memory, or holds a connection, with bodies that do not end.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.body_limit import allowed, is_lifted
from app.errors import Busy, Silence, TooLarge, TooMany
from app.keys.service import Caller
from app.settings import MIB

#: Largest body of a route that says nothing.
USUAL_BYTES = MIB

#: Bytes a second that a body brings at least, after the first seconds of silence that it may take.
SLOWEST = 16 * 1024

_RETRY_SECONDS = 5


class Room:
    """Bytes of bodies that a process holds, of all labs together and of each.

    Args:
        most: For all together.
        share: How many of them one lab may have.
    """

    def __init__(self, most: int, share: int) -> None:
        self.most = most
        self.share = share
        self._of: Counter[int] = Counter()

    def take(self, lab_id: int, size: int) -> None:
        """Hold some more.

        Raises:
            TooMany: The lab has its share.
            Busy: All of it is taken.
        """
        where = "POSETWEEN_MAX_BUFFERED_BYTES is the limit"
        if self._of[lab_id] + size > self.share:
            sentence = f"bodies of this lab that are under way may have {self.share} bytes together ({where})"
            raise TooMany(sentence, retry_after=_RETRY_SECONDS)
        if self._of.total() + size > self.most:
            raise Busy(f"bodies that are under way may have {self.most} bytes together ({where}); send this again")
        self._of[lab_id] += size

    def give_back(self, lab_id: int, size: int) -> None:
        """Hold some less."""
        self._of[lab_id] -= size
        if self._of[lab_id] <= 0:
            del self._of[lab_id]


class Bodies:
    """ASGI middleware through which a route reads the body of a request.

    Args:
        app: What it stands before.
        caller: Finds out whose request it is; raises a ``ServiceError`` where that is nobody.
        usual: Bytes that a body may have, where the route does not say more.
        silence: Seconds that a body may stand still.
        room: What bodies may have together.
    """

    def __init__(
        self, app: ASGIApp, caller: Callable[[Request], Awaitable[Caller]], usual: int, silence: float, room: Room
    ) -> None:
        self.app = app
        self.caller = caller
        self.usual = usual
        self.silence = silence
        self.room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, watching its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self, scope, receive)

        async def sending(message: Message) -> None:
            body.answered = True
            await send(message)

        try:
            await self.app(scope, body.receive, sending)
        finally:
            body.close()


class _Body:
    """The body of one request."""

    def __init__(self, bodies: Bodies, scope: Scope, receive: Receive) -> None:
        self.answered = False
        self._bodies = bodies
        self._scope = scope
        self._receive = receive
        # Without these headers there is no body, as of a page's files, which are anybody's.
        self._whole = not {b"content-length", b"transfer-encoding"} & {name for name, _ in scope["headers"]}
        self._taken = 0
        self._lab_id: int | None = None
        self._waited = 0.0

    async def receive(self) -> Message:
        """The next piece.

        Raises:
            HTTPException: It is nobody's, too large, too slow, there is no room for it, or the database could not say
                whose it is. While it reads JSON, FastAPI takes any other kind for a fault of the body; the cause says
                what is the matter.
        """
        if self._whole or self.answered or is_lifted(self._scope):
            return await self._receive()
        try:
            message = await self._next()
        except Exception as error:
            raise HTTPException(500) from error
        self._whole = not message.get("more_body", False)
        return message

    @property
    def _most(self) -> int:
        return allowed(self._scope) or self._bodies.usual

    def close(self) -> None:
        """The request is over."""
        if self._lab_id is not None:
            self._bodies.room.give_back(self._lab_id, self._taken)

    async def _next(self) -> Message:
        if self._lab_id is None:
            declared = Headers(scope=self._scope).get("content-length", "")
            if declared.isdecimal() and int(declared) > self._most:
                await self._bodies.caller(Request(self._scope))
                raise self._too_large()
            self._lab_id = (await self._bodies.caller(Request(self._scope))).lab_id
        left = self._bodies.silence + self._taken / SLOWEST - self._waited
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._bodies.silence, left)):
                message = await self._receive()
        except TimeoutError:
            raise self._too_slow(left) from None
        # What the route takes its time for between two pieces is not the client's.
        self._waited += time.monotonic() - began
        size = len(message.get("body", b""))
        if self._taken + size > self._most:
            raise self._too_large()
        if size:
            self._bodies.room.take(self._lab_id, size)
            self._taken += size
        return message

    def _too_slow(self, left: float) -> Silence:
        silence = self._bodies.silence
        if left < silence:
            return Silence(f"this body came too slowly: it may take {silence:g} s, and 1 s more for {SLOWEST} bytes")
        return Silence(f"no bytes came for {silence:g} s")

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a body may have {self._most} bytes here")
