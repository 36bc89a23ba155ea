"""Errors between a client and its service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The service refused, or does not answer; the text is its sentence.

    Attributes:
        status: Of the answer; 0 where there was none.
        problem: The problem document (RFC 9457), empty where there is none.
    """

    def __init__(self, sentence: str, status: int = 0, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.problem = dict(problem or {})


class JobError(Exception):
    """A job did not succeed; the text says why."""
