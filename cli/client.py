"""A client of the service's REST API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

_PIECE = 1 << 20
_POLL_SECONDS = 0.1


class ApiError(Exception):
    """The service refused; the text is its sentence."""


class JobError(Exception):
    """A job did not succeed; the text says why."""


class Client:
    """Talks to one service with one key; a context manager.

    Args:
        address: As in ``http://127.0.0.1:8000``.
        key: API key.
    """

    def __init__(self, address: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx2.Client(base_url=f"{address}/api/v1", headers=headers, timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """Read JSON."""
        return self._send("GET", path, params=params).json()

    def read(self, path: str, **params: Any) -> bytes:
        """Read bytes."""
        return bytes(self._send("GET", path, params=params).content)

    def post(self, path: str, body: Any) -> Any:
        """Send JSON to make something or to start a job."""
        return self._send("POST", path, json=body).json()

    def put(self, path: str, body: Any) -> Any:
        """Send JSON to write something."""
        return self._send("PUT", path, json=body).json()

    def upload(self, project_id: int, path: Path) -> Any:
        """Send a video."""

        def pieces() -> Iterator[bytes]:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece

        url = f"/projects/{project_id}/videos"
        return self._send("POST", url, params={"filename": path.name}, content=pieces()).json()

    def wait(self, job_id: int, show: Callable[[Mapping[str, Any]], None]) -> Any:
        """Follow a job to its end and give it.

        Args:
            job_id: The job.
            show: Called with the job as it is now, again and again.

        Raises:
            JobError: It failed or was cancelled.
        """
        while True:
            job = self.get(f"/jobs/{job_id}")
            show(job)
            if job["state"] == "succeeded":
                return job
            if job["state"] in ("failed", "cancelled"):
                raise JobError(job["error"] or f"job {job_id} was cancelled")
            time.sleep(_POLL_SECONDS)

    def _send(self, method: str, path: str, **request: Any) -> httpx2.Response:
        try:
            answer = self._http.request(method, path, **request)
        except httpx2.TransportError as error:
            raise ApiError(f"the service does not answer: {error}") from error
        if answer.is_error:
            raise ApiError(f"{method} {path}: {_sentence(answer)}")
        return answer


def _sentence(answer: httpx2.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
