"""Opening a session for a browser with a key, finding out whose one is, and ending it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app import tokens
from app.errors import Forbidden, Unauthorized
from app.keys import service as keys
from app.keys.service import Caller
from app.tables import ApiKey, BrowserSession

_PREFIX = "ps"


def open_session(session: Session, caller: Caller, hours: float) -> tuple[BrowserSession, str]:
    """Open a session that lasts so long, though never longer than the key. Only a digest of its text is kept.

    Raises:
        Forbidden: The caller did not show a key: one session cannot open the next for ever.
    """
    if caller.key_id is None or caller.session_id is not None:
        raise Forbidden("a session is opened with an API key; send one as 'Authorization: Bearer <key>'")
    key = session.get_one(ApiKey, caller.key_id)
    now = datetime.now(UTC)
    session.execute(delete(BrowserSession).where(BrowserSession.expires_at <= now))
    end = now + timedelta(hours=hours)
    secret, digest = tokens.mint()
    row = BrowserSession(key_id=key.id, secret_sha256=digest, expires_at=min(end, key.expires_at or end))
    session.add(row)
    session.flush()
    return row, tokens.write(_PREFIX, row.id, secret)


def authenticate(session: Session, cookie: str) -> Caller:
    """Find out whose session a browser is in.

    Raises:
        Unauthorized: It is unknown or over, or its key has expired or was revoked.
    """
    token = tokens.read(_PREFIX, cookie)
    row = session.get(BrowserSession, token[0]) if token else None
    if token is None or row is None or not tokens.fits(token[1], row.secret_sha256):
        raise Unauthorized("this session is not known or has ended; open another one with an API key")
    if row.expires_at <= datetime.now(UTC):
        raise Unauthorized("this session has expired; open another one with an API key")
    return keys.holder(session, session.get_one(ApiKey, row.key_id), row.id)


def close(session: Session, session_id: int) -> None:
    """End a session."""
    session.execute(delete(BrowserSession).where(BrowserSession.id == session_id))
