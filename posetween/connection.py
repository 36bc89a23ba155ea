"""Requests to one service: who asks, what is asked once more, and what a refusal says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2

from posetween.errors import ApiError

PREFIX = "/api/v1"

_SECONDS = 60.0
#: Seconds before each further try of a request that may be repeated.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_PAUSE = 60.0
#: The service is there and has no time, or what stands before it has lost it for a moment.
_LATER = (429, 502, 503, 504)


class Connection:
    """Talks to one service with one key.

    Args:
        address: As in ``http://127.0.0.1:8000``.
        key: API key.

    Raises:
        ApiError: The address is none, or the key cannot be sent.
    """

    def __init__(self, address: str, key: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise ApiError(f"{address!r} is no address of a service: it begins with http:// or https://")
        if not key.isascii() or not key.isprintable() or " " in key or not key:
            raise ApiError("this is no key of the service: it has letters, digits and signs alone")
        self.address = address.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"}
        try:
            self._http = httpx2.Client(base_url=self.address, headers=headers, timeout=_SECONDS)
        except httpx2.InvalidURL as error:
            raise ApiError(f"{address!r} is no address of a service: {error}") from error

    def close(self) -> None:
        """Close it."""
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send a request. One that changes nothing or has an ``Idempotency-Key`` is repeated where that may help.

        Args:
            method: ``GET``, ``POST``, …
            path: Below ``/api/v1``, or a whole one that begins with it.
            params: Of the query.
            json: A body in JSON.
            content: A body; if it is not bytes, it is sent once.
            headers: Beside the key.

        Raises:
            ApiError: The service refuses, does not answer, or somebody else does.
        """
        repeatable = method in ("GET", "HEAD") or "Idempotency-Key" in (headers or {})
        pauses = iter(_PAUSES if repeatable and (content is None or isinstance(content, bytes)) else ())
        while True:
            try:
                answer = self._http.request(
                    method, _whole(path), params=params, json=json, content=content, headers=headers
                )
            except httpx2.TransportError as error:
                pause = next(pauses, None)
                if pause is None:
                    raise ApiError(f"the service at {self.address} does not answer: {_text(error)}") from error
            else:
                self._check_ours(method, path, answer)
                if answer.is_success:
                    return answer
                pause = next(pauses, None) if answer.status_code in _LATER else None
                if pause is None:
                    raise refusal(method, path, answer)
                pause = max(pause, _asked(answer))
            time.sleep(min(pause, _LONGEST_PAUSE))

    def json(self, method: str, path: str, **what: Any) -> Any:
        """Send a request as by ``send`` and give the JSON of the answer.

        Raises:
            ApiError: The service refuses, does not answer, or somebody else does.
        """
        answer = self.send(method, path, **what)
        try:
            return answer.json()
        except ValueError:
            raise self.strange(method, path, answer) from None

    def strange(self, method: str, path: str, answer: httpx2.Response) -> ApiError:
        """What is said of an answer that no service of ours gives."""
        kind = answer.headers.get("Content-Type", "").partition(";")[0] or "nothing that is known"
        sentence = f"the answer is {kind}; is {self.address} the address of the service?"
        return ApiError(f"{method} {path}: {sentence}", answer.status_code)

    def _check_ours(self, method: str, path: str, answer: httpx2.Response) -> None:
        """Refuse pages and ways to elsewhere: the service gives none below its API."""
        if answer.is_redirect:
            where = answer.headers.get("Location", "elsewhere")
            sentence = f"the answer leads to {where}, which is not followed"
            asked = f"is {self.address} the address of the service?"
            raise ApiError(f"{method} {path}: {sentence}; {asked}", answer.status_code)
        if answer.is_success and answer.headers.get("Content-Type", "").startswith("text/html"):
            raise self.strange(method, path, answer)

    @contextmanager
    def stream(self, path: str) -> Iterator[httpx2.Response]:
        """Read an answer piece by piece, within a block.

        Raises:
            ApiError: The service refuses, or its answer breaks off.
        """
        try:
            with self._http.stream("GET", _whole(path)) as answer:
                self._check_ours("GET", path, answer)
                if not answer.is_success:
                    answer.read()
                    raise refusal("GET", path, answer)
                yield answer
        except httpx2.TransportError as error:
            raise ApiError(f"the service at {self.address} does not answer: {_text(error)}") from error


def refusal(method: str, path: str, answer: httpx2.Response) -> ApiError:
    """What an answer says that refuses, with the first places that it names."""
    problem: Mapping[str, Any] = {}
    try:
        found = answer.json()
        problem = found if isinstance(found, dict) else {}
    except (ValueError, httpx2.StreamError):
        pass
    sentence = str(problem.get("detail") or f"status {answer.status_code}")
    places = [f"{one['pointer']}: {one['detail']}" for one in problem.get("errors") or () if one.get("pointer")]
    if places and places[0].partition(": ")[2] != sentence:
        sentence = f"{sentence} ({places[0]})"
    return ApiError(f"{method} {path}: {sentence}", answer.status_code, problem)


def _whole(path: str) -> str:
    return path if path.startswith(f"{PREFIX}/") else PREFIX + path


def _asked(answer: httpx2.Response) -> float:
    """Seconds that the service wants to be left alone."""
    told = answer.headers.get("Retry-After", "")
    return float(told) if told.isdecimal() and len(told) < 5 else 0.0


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
