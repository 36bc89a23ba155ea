"""Clients as annotators' programs are: they try again until they are answered, and remember what they were told."""

from __future__ import annotations

import base64
import hashlib
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Any

import httpx2

from app.main import PREFIX
from benchmarks.chaos.journal import Journal, SaidAbsent, Uploaded, WrittenLabel

_TIMEOUT = 20.0
_PAUSE = 0.1
_GIVE_UP = 120.0
_PIECE = 16 * 1024


class NoAnswer(Exception):
    """The service did not do it for so long that the client gave up."""


class Refused(Exception):
    """The service said no, and will say so again."""


class Client:
    """One client with a connection of its own.

    Args:
        address: Of the API.
        key: To it.
        journal: Where it writes down what it was told.
        rng: For what it does at random.
    """

    def __init__(self, address: str, key: str, journal: Journal, rng: Random) -> None:
        self.journal = journal
        self.rng = rng
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx2.Client(base_url=address, headers=self._headers, timeout=_TIMEOUT)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def try_once(self, method: str, path: str, **request: Any) -> httpx2.Response | None:
        """Ask once; None where no answer came or the service could not do it now."""
        try:
            answer = self._http.request(method, path, **request)
        except httpx2.HTTPError:
            return None
        self._note(answer.status_code, f"{method} {_kind(path)}: {answer.text[:200]}")
        return None if answer.status_code >= 500 or answer.status_code in (408, 423, 429) else answer

    def ask(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask until it is done; a POST is known by its idempotency key, so that it is done once.

        Raises:
            Refused: It will not be done.
            NoAnswer: It was not done for too long.
        """
        if method == "POST":
            request.setdefault("headers", {})["Idempotency-Key"] = uuid.uuid4().hex
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            answer = self.try_once(method, path, **request)
            if answer is not None and answer.status_code < 400:
                return dict(answer.json())
            if answer is not None and not (method == "POST" and answer.status_code == 409):
                raise Refused(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
            time.sleep(_PAUSE)
        raise NoAnswer(f"{method} {path}")

    def label(self, video_id: int, track: int, frames: list[int], width: int, height: int) -> None:
        """Write labels with coordinates of their own until that is acknowledged."""
        labels = []
        for frame in frames:
            # Quarters of pixels, which a float32 holds exactly.
            points = tuple(
                (self.rng.randrange(20, 4 * width - 20) / 4, self.rng.randrange(20, 4 * height - 20) / 4, 2)
                for _ in range(2)
            )
            labels.append({"frame_index": frame, "track_id": track, "keypoints": points})
        written = self.ask("PUT", f"/videos/{video_id}/labels", json={"labels": labels})
        for one in labels:
            self.journal.wrote(WrittenLabel(video_id, written["revision"], one["frame_index"], track, one["keypoints"]))

    def say_absent(self, video_id: int, track: int, frame: int) -> None:
        """Say that a subject is not on a frame until that is acknowledged."""
        label = {"frame_index": frame, "track_id": track, "absent": True}
        written = self.ask("PUT", f"/videos/{video_id}/labels", json={"labels": [label]})
        self.journal.absent.append(SaidAbsent(video_id, written["revision"], frame, track, whole=True))

    def content(self, path: str) -> bytes:
        """A whole file.

        Raises:
            Refused: There is none.
            NoAnswer: It was not sent for too long.
        """
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            answer = self.try_once("GET", path, follow_redirects=True)
            if answer is not None and answer.status_code == 200:
                return answer.content
            if answer is not None:
                raise Refused(f"GET {path}: {answer.status_code} {answer.text[:300]}")
            time.sleep(_PAUSE)
        raise NoAnswer(f"GET {path}")

    def start(self, path: str, body: dict[str, Any]) -> int:
        """Start a job."""
        number = int(self.ask("POST", path, json=body)["id"])
        self.journal.jobs.append(number)
        return number

    def cancel(self, job_id: int) -> None:
        """Cancel a job."""
        self.ask("POST", f"/jobs/{job_id}/cancel")
        self.journal.cancelled.append(job_id)

    def delete(self, video_id: int, *, purge: bool) -> None:
        """Delete a video; it may be erased before an answer comes through."""
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            answer = self.try_once("DELETE", f"/videos/{video_id}", params={"purge": int(purge)})
            if answer is not None and (answer.status_code == 202 or (purge and answer.status_code == 404)):
                return
            if answer is not None:
                raise Refused(f"DELETE video {video_id}: {answer.status_code} {answer.text[:300]}")
            time.sleep(_PAUSE)
        raise NoAnswer(f"DELETE video {video_id}")

    def restore(self, video_id: int) -> bool:
        """Restore a deleted video; False where it is being erased, or is."""
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            answer = self.try_once("POST", f"/videos/{video_id}/restore")
            if answer is not None:
                return answer.status_code == 200
            time.sleep(_PAUSE)
        raise NoAnswer(f"restore of video {video_id}")

    def await_erasure(self, video_id: int) -> None:
        """Wait until there is no such video to restore."""
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            answer = self.try_once("POST", f"/videos/{video_id}/restore")
            if answer is not None and answer.status_code == 404:
                return
            if answer is not None and answer.status_code != 409:
                raise Refused(f"restore of video {video_id}: {answer.status_code} {answer.text[:300]}")
            time.sleep(5 * _PAUSE)
        raise NoAnswer(f"erasure of video {video_id}")

    def upload(self, project_id: int, data: bytes) -> int:
        """Upload a video as one body; gives its id."""
        request = {"params": {"filename": "plain.mp4"}, "content": data}
        return self._uploaded(int(self.ask("POST", f"/projects/{project_id}/videos", **request)["id"]), data)

    def upload_in_pieces(self, project_id: int, data: bytes) -> int:
        """Upload a video over tus on a line that breaks off at random bytes; gives its id.

        Raises:
            NoAnswer: It was not done for too long.
        """
        said = f"project_id {base64.b64encode(str(project_id).encode()).decode()}"
        headers = {"Upload-Length": str(len(data)), "Upload-Metadata": said, "Idempotency-Key": uuid.uuid4().hex}
        url = None
        deadline = time.monotonic() + _GIVE_UP
        while time.monotonic() < deadline:
            if url is None:
                answer = self._tus("POST", f"{PREFIX}/uploads", headers)
                url = answer.get("location") if answer is not None else None
                time.sleep(0 if url else _PAUSE)
                continue
            head = self._tus("HEAD", url, {})
            if head is None:
                time.sleep(_PAUSE)
            elif "posetween-video" in head:
                return self._uploaded(int(head["posetween-video"]), data)
            else:
                offset = int(head["upload-offset"])
                self.journal.offsets.setdefault(url, []).append(offset)
                cut = self.rng.randrange(offset, 2 * len(data))
                patched = self._patch(url, offset, data[offset:cut], len(data) - offset)
                if patched is not None and "posetween-video" in patched:
                    return self._uploaded(int(patched["posetween-video"]), data)
        raise NoAnswer(f"an upload of {len(data)} bytes")

    def _uploaded(self, video_id: int, data: bytes) -> int:
        self.journal.uploads.append(Uploaded(video_id, hashlib.sha256(data).hexdigest(), len(data)))
        return video_id

    def _patch(self, url: str, offset: int, data: bytes, promised: int) -> dict[str, str] | None:
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(promised),
        }
        return self._tus("PATCH", url, headers, data, promised)

    def _tus(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b"", promised: int = 0
    ) -> dict[str, str] | None:
        """A request of tus; gives the headers of the answer, None where it did not come or was no success."""
        with suppress(OSError, HTTPException), self._connection() as connection:
            connection.putrequest(method, url)
            for name, value in {**self._headers, "Tus-Resumable": "1.0.0", **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            for start in range(0, len(body), _PIECE):
                connection.send(body[start : start + _PIECE])
                time.sleep(self.rng.random() / 20)
            if len(body) < promised:
                return None  # the line breaks off
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
            self._note(answer.status, f"{method} {_kind(url)}: {text[:200]}")
            if answer.status in (404, 410):
                self.journal.gone.append(f"{method} {url}: {answer.status} {text[:200]}")
            if answer.status < 300:
                return {name.lower(): value for name, value in answer.getheaders()}
        return None

    @contextmanager
    def _connection(self) -> Iterator[HTTPConnection]:
        port = int(self._address.rpartition(":")[2].partition("/")[0])
        connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        try:
            yield connection
        finally:
            connection.close()

    def _note(self, status: int, sentence: str) -> None:
        if status >= 500:
            self.journal.answers[status] += 1
        if status == 500:
            self.journal.mistakes[sentence] += 1


def _kind(path: str) -> str:
    """A path without the numbers in it."""
    return re.sub(r"/([0-9]+|[0-9a-f]{32})(?=/|$)", "/N", path)
