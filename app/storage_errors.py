"""Errors of a store: an object that is missing, a store that does not answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import GenericError

from app.errors import MissingObject, Unreachable

log = logging.getLogger(__name__)


@contextmanager
def named(sha256: str) -> Iterator[None]:
    """Tell a missing object by its name, and not by where it would be.

    Raises:
        MissingObject: It is missing.
    """
    try:
        yield
    except FileNotFoundError as error:
        log.error("the object %s is missing from the storage", sha256)
        raise MissingObject(sha256) from error


@contextmanager
def reach() -> Iterator[None]:
    """Tell a store that does not answer by its name; what could be tried again was.

    Raises:
        Unreachable: It does not.
    """
    try:
        yield
    except GenericError as error:
        raise away(error) from error


def away(error: Exception) -> Unreachable:
    """The error of a store that does not answer, which the log says more of."""
    log.warning("the storage does not answer: %s", str(error).partition("\n")[0])
    return Unreachable("the storage of the server does not answer at the moment")
