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
from app.tables import ApiKey, BrowserSession, Lab, SignIn

_PREFIX = "ps"
_ONCE = "po"


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


def offer(session: Session, key_id: int, minutes: float) -> str:
    """Make a token that signs a browser in once, in place of a key. Only a digest of it is kept."""
    now = datetime.now(UTC)
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
    secret, digest = tokens.mint()
    row = SignIn(key_id=key_id, secret_sha256=digest, expires_at=now + timedelta(minutes=minutes))
    session.add(row)
    session.flush()
    return tokens.write(_ONCE, row.id, secret)


def is_offer(text: str | None) -> bool:
    """Return whether this is written as a token that signs in once."""
    return text is not None and tokens.read(_ONCE, text) is not None


def bearer(session: Session, text: str) -> Caller:
    """The caller whose one-time token this is; it stays as it is.

    Raises:
        Unauthorized: It is unknown, was used or is over, or its key has expired or was revoked.
    """
    token = tokens.read(_ONCE, text)
    row = session.get(SignIn, token[0]) if token else None
    if token is None or row is None or not tokens.fits(token[1], row.secret_sha256):
        raise Unauthorized("this address signs in once and was used, or never did; sign in with an API key")
    if row.expires_at <= datetime.now(UTC):
        raise Unauthorized("this address signed in for a while only; sign in with an API key")
    return keys.holder(session, session.get_one(ApiKey, row.key_id))


def redeem(session: Session, text: str) -> Caller:
    """Use a one-time token up.

    Raises:
        Unauthorized: As ``bearer``, or somebody else is using it up.
    """
    caller = bearer(session, text)
    number, _ = tokens.read(_ONCE, text) or (0, "")
    if session.scalar(delete(SignIn).where(SignIn.id == number).returning(SignIn.id)) is None:
        raise Unauthorized("this address signs in once and was used; sign in with an API key")
    return caller


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
