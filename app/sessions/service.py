"""Opening a session for a browser with a key, finding out whose one is, and ending it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import tokens
from app.database import Database
from app.errors import Forbidden, Unauthorized
from app.keys import service as keys
from app.keys.service import Caller
from app.tables import ApiKey, BrowserSession, Lab

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


def confirm(session: Session, caller: Caller) -> None:
    """Look again whether somebody may still act: a request takes as long as its client likes to send its body.

    Args:
        session: The transaction in which they act.
        caller: Who they were when the request began.

    Raises:
        Unauthorized: The key or the session has ended since, or the key has another role.
    """
    if caller.key_id is None:
        return
    # One question in place of two: others wait meanwhile to write.
    good = ApiKey.revoked_at.is_(None), Lab.deleted_at.is_(None), ApiKey.role == caller.role.value
    alive = select(ApiKey.expires_at).join(Lab, Lab.id == ApiKey.lab_id).where(ApiKey.id == caller.key_id, *good)
    found = session.execute(alive).first()
    if found is None or (found.expires_at is not None and found.expires_at <= datetime.now(UTC)):
        keys.holder(session, session.get_one(ApiKey, caller.key_id))
        raise Unauthorized("this API key has another role now; send this again")
    if caller.session_id is not None:
        row = session.get(BrowserSession, caller.session_id)
        if row is None or row.expires_at <= datetime.now(UTC):
            raise Unauthorized("this session has ended; open another one with an API key")


@contextmanager
def writing_as(database: Database, caller: Caller) -> Iterator[Session]:
    """A transaction in which somebody writes who may still do so when it begins.

    Raises:
        Unauthorized: They may not any more.
    """
    with database.session() as session:
        confirm(session, caller)
        yield session


def close(session: Session, session_id: int) -> None:
    """End a session."""
    session.execute(delete(BrowserSession).where(BrowserSession.id == session_id))
