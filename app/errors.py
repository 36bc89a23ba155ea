"""Errors a caller can do something about. Workers raise them too, so nothing of HTTP is loaded here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

PROBLEM = "application/problem+json"


class FieldProblem(BaseModel):
    """One bad field: where it stands and what is wrong with it."""

    pointer: str = Field(description="JSON pointer into the body, query, path or header")
    detail: str
    location: str = Field(default="body", description="body, query, path or header")


class Problem(BaseModel):
    """An RFC 9457 problem document."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


class ServiceError(Exception):
    """An error with a status, a sentence and, where fields are at fault, a pointer to each."""

    status = 500
    title = "Internal error"

    def __init__(self, detail: str, errors: list[FieldProblem] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors or []
        self.extra = extra
        self.headers: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Come whole out of another process, whatever the constructor of its kind takes."""
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[ServiceError], args: tuple[Any, ...], state: dict[str, Any]) -> ServiceError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class Malformed(ServiceError):
    """The request cannot be read."""

    status, title = 400, "Malformed request"


class Unauthorized(ServiceError):
    """No key, or not a valid one."""

    status, title = 401, "Unauthorized"


class Forbidden(ServiceError):
    """The key's role does not allow it."""

    status, title = 403, "Forbidden"


class NotFound(ServiceError):
    """There is no such thing, or it is another lab's."""

    status, title = 404, "Not found"


class Conflict(ServiceError):
    """It does not go together with how things stand."""

    status, title = 409, "Conflict"


class Stale(ServiceError):
    """Somebody was faster."""

    status, title = 412, "Precondition failed"


class Silence(ServiceError):
    """No bytes came for too long, or too few."""

    status, title = 408, "Request timeout"


class TooLarge(ServiceError):
    """More bytes than are let in."""

    status, title = 413, "Too large"


class Invalid(ServiceError):
    """Readable, but a value is wrong."""

    status, title = 422, "Invalid value"


class NoSpace(ServiceError):
    """The disk is full, or what a lab may have of it."""

    status, title = 507, "Insufficient storage"


class MissingObject(ServiceError, FileNotFoundError):
    """A file that a row refers to is not in the storage."""

    status, title = 410, "Gone"

    def __init__(self, sha256: str) -> None:
        super().__init__(f"the file {sha256} is missing from the storage of the server; {_PUT_BACK}")


class DamagedObject(ServiceError):
    """A file in the storage is not what was put there."""

    status, title = 503, "Damaged"

    def __init__(self, sha256: str, found: str) -> None:
        super().__init__(
            f"the file {sha256} in the storage of the server is damaged (it has the digest {found}); {_PUT_BACK}"
        )


_PUT_BACK = "whoever runs this installation can put it back from a copy of the storage, which loses nothing else"


class TooMany(ServiceError):
    """More at a time than one caller may ask for.

    Args:
        detail: The sentence.
        retry_after: Seconds after which it may work.
        headers: What else the answer tells of the limit.
    """

    status, title = 429, "Too many"

    def __init__(self, detail: str, *, retry_after: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.headers = {**(headers or {}), "Retry-After": str(retry_after)}


class Busy(ServiceError):
    """Too much at a time; a moment later it will work."""

    status, title = 503, "Busy"


class Unreachable(ServiceError):
    """The database or the storage does not answer; when it is back it will work."""

    status, title = 503, "Unreachable"


def invalid(pointer: str, detail: str, location: str = "body") -> Invalid:
    """The error of one bad field."""
    return Invalid(detail, [FieldProblem(pointer=pointer, detail=detail, location=location)])


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the statuses a route can answer beside its success."""
    return {
        status: {"model": Problem, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status in statuses
    }


# SQLite's names and PostgreSQL's SQLSTATE codes. SQLite cannot enlarge its shared memory file on a full disk.
_FULL = {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_WRITE", "53100"}
_AWAY = ("08", "57P")
_LOCKED = ("SQLITE_BUSY", "SQLITE_LOCKED", "40001", "40P01", "55P03", "53300")


def database_trouble(error: SQLAlchemyError) -> ServiceError | None:
    """The service error for a database error that is not the caller's fault; None when it is a mistake of ours."""
    if isinstance(error, PoolTimeout):
        return Busy("the database is busy; send this again")
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Unreachable("the database does not answer; send this again")
    if not isinstance(error, OperationalError):
        return None
    if _unreachable(error):
        return Unreachable("the database does not answer; send this again")
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None) or ""
    if code in _FULL:
        return NoSpace("the disk of the server is full; nothing of this was kept")
    if code.startswith(_LOCKED):
        return Busy("the database is busy; send this again")
    return None


def _unreachable(error: OperationalError) -> bool:
    # Only errors of psycopg have a SQLSTATE. While it connects it has none to give: what the server says comes as text.
    state = getattr(error.orig, "sqlstate", "")
    return state is None or state.startswith(_AWAY)
