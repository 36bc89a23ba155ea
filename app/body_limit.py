"""Limits of the body that a route reads: up to 1 MiB, more where it asks for more, or the bytes of a file."""

from __future__ import annotations

from fastapi import Request
from starlette.types import Scope

_LIFTED = "posetween.body_limit_lifted"
_MOST = "posetween.body_limit"


def is_lifted(scope: Scope) -> bool:
    """Return whether a request brings the bytes of a file."""
    return _LIFTED in scope


def lift(request: Request) -> None:
    """Let a route take in a body of any size; it counts and watches for itself."""
    request.scope[_LIFTED] = True


def allowed(scope: Scope) -> int | None:
    """Bytes that the route lets the body of a request have; None where it says nothing."""
    most: int | None = scope.get(_MOST)
    return most


def allow(request: Request, most_bytes: int) -> None:
    """Let a route read a body of so many bytes."""
    request.scope[_MOST] = most_bytes
