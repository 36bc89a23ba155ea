"""Taking in the bytes of an upload: streamed to disk, digested on the way, checked against what the client promised."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from app.errors import Silence, TooLarge, invalid
from app.incoming import Incoming

#: A key that was revoked brings bytes no longer than this.
CONFIRM_SECONDS = 2.0

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]+={0,2}):")


def promised_digest(content_digest: str | None) -> bytes | None:
    """SHA-256 from a ``Content-Digest`` header (RFC 9530), None where there is none.

    Raises:
        Invalid: The header cannot be read or names no SHA-256.
    """
    if content_digest is None:
        return None
    match = _DIGEST.search(content_digest)
    try:
        digest = base64.b64decode(match[1], validate=True) if match else b""
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise invalid("/content-digest", "expected sha-256=:<base64 of 32 bytes>:", "header")
    return digest


async def watched(
    body: AsyncIterator[bytes], silence: float, confirm: Callable[[], Awaitable[object]]
) -> AsyncIterator[bytes]:
    """A body that ends where nothing comes for too long, or where its sender may not send it any more.

    Args:
        body: The pieces.
        silence: Seconds to wait for a piece.
        confirm: Asks whether the sender still may; every few seconds, and after the last piece.

    Raises:
        Silence: Nothing came for too long.
    """
    pieces, asked = aiter(body), time.monotonic()
    while True:
        try:
            async with asyncio.timeout(silence):
                piece = await anext(pieces, None)
        except TimeoutError as error:
            raise Silence(f"no bytes came for {silence:g} s") from error
        if piece is None or time.monotonic() - asked > CONFIRM_SECONDS:
            await confirm()
            asked = time.monotonic()
        if piece is None:
            return
        yield piece


async def take_in(body: AsyncIterator[bytes], incoming: Incoming, *, limit: int, digest: bytes | None) -> None:
    """Write a request's body to scratch.

    Raises:
        TooLarge: More bytes than ``limit`` arrived.
        Invalid: Nothing arrived, or not what the digest promised.
        NoSpace: The disk is full.
    """
    async for piece in body:
        if incoming.size + len(piece) > limit:
            raise TooLarge(f"a video may have {limit} bytes")
        incoming.write(piece)
    if incoming.size == 0:
        raise invalid("", "the upload is empty: send the video's bytes as the body")
    if digest is not None and incoming.digest() != digest:
        raise invalid("/content-digest", "the bytes that arrived have another digest; send them again", "header")
