"""``Client``: what the service does, as methods."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

from posetween import poses, uploads
from posetween.answers import (
    ExportOut,
    Imported,
    JobOut,
    Layer,
    ProjectOut,
    RunOut,
    SkeletonSchema,
    TrackOut,
    VideoOut,
    Written,
)
from posetween.connection import Connection
from posetween.errors import ApiError, JobError
from posetween.poses import Poses

_POLL_SECONDS = (0.1, 2.0)
_PAGE = 100

#: Hears how a job is doing.
Show = Callable[[JobOut], None]


def _quietly(job: JobOut) -> None:
    """Show nothing."""


class Client:
    """Talks to one service with one key; a context manager.

    Refusals are ``ApiError``s. Requests that can be repeated without harm are, while the service does not answer.

    Args:
        address: As in ``http://127.0.0.1:8000``.
        key: API key.
    """

    def __init__(self, address: str, key: str) -> None:
        self._to = Connection(address, key)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection; leaving the block does it too."""
        self._to.close()

    # Any route.

    def get(self, path: str, **params: Any) -> Any:
        """Read JSON."""
        return self._to.json("GET", path, params=params)

    def read(self, path: str, **params: Any) -> bytes:
        """Read bytes."""
        return bytes(self._to.send("GET", path, params=params).content)

    def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        """Send JSON to make something or to start a job; ``key`` makes its repetition give the first answer."""
        return self._to.json("POST", path, json=body, headers=_once(key))

    def put(self, path: str, body: Any) -> Any:
        """Send JSON to write something."""
        return self._to.json("PUT", path, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Send JSON to change something."""
        return self._to.json("PATCH", path, json=body)

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """All items of a list."""
        cursor: dict[str, Any] = {}
        while True:
            page = self.get(path, limit=_PAGE, **params, **cursor)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    # Projects and videos.

    def projects(self, name: str | None = None) -> list[ProjectOut]:
        """The lab's projects, newest first; with ``name`` those that are called so."""
        if name is None:
            return [*self.pages("/projects")]
        return [project for project in self.pages("/projects", name=name) if project["name"] == name]

    def project(self, project_id: int) -> ProjectOut:
        """One project."""
        return cast("ProjectOut", self.get(f"/projects/{project_id}"))

    def create_project(self, name: str, skeleton: SkeletonSchema) -> ProjectOut:
        """Make a project with its skeleton."""
        return cast("ProjectOut", self.post("/projects", {"name": name, "skeleton": skeleton}))

    def videos(self, project_id: int) -> list[VideoOut]:
        """The videos of a project."""
        return [*self.pages(f"/projects/{project_id}/videos")]

    def video(self, video_id: int) -> VideoOut:
        """One video."""
        return cast("VideoOut", self.get(f"/videos/{video_id}"))

    def upload(
        self,
        project_id: int,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        sent: uploads.Sent = lambda done, of: None,
    ) -> VideoOut:
        """Send a video, or a ZIP of numbered images; it is being read when this returns, see ``ingest_job_id``.

        Calling this again with the same file goes on where it broke off, or gives the video that it became.

        Args:
            project_id: Whose.
            path: The file.
            name: What it is called; the file's name where left out.
            sent: Hears how many bytes of how many were sent.

        Raises:
            OSError: The file cannot be read.
        """
        file = Path(path)
        sha256 = uploads.digest(file)
        for video in self.pages(f"/projects/{project_id}/videos"):
            if video["sha256"] == sha256:
                return cast("VideoOut", video)
        number = uploads.send(self._to, project_id, file, name=name or file.name, sha256=sha256, sent=sent)
        return self.video(number)

    # Tracks and labels.

    def tracks(self, video_id: int) -> list[TrackOut]:
        """The subjects of a video."""
        return [*self.pages(f"/videos/{video_id}/tracks")]

    def create_track(self, video_id: int, name: str) -> TrackOut:
        """Add a subject."""
        return cast("TrackOut", self.post(f"/videos/{video_id}/tracks", {"name": name}))

    def rename_track(self, video_id: int, track_id: int, name: str) -> None:
        """Call a subject by another name."""
        self.patch(f"/videos/{video_id}/tracks/{track_id}", {"name": name})

    def put_labels(self, video_id: int, labels: Sequence[Mapping[str, Any]]) -> Written:
        """Write labels, all or none: ``frame_index``, ``track_id`` and ``keypoints`` of ``[x, y, v]`` each."""
        return cast("Written", self.put(f"/videos/{video_id}/labels", {"labels": labels}))

    def import_labels(
        self,
        video_id: int,
        coco: bytes,
        *,
        pseudo: Literal["skip", "run", "human"] = "skip",
        if_match: int | None = None,
        key: str | None = None,
        dry_run: bool = False,
        **how: str | int,
    ) -> Imported:
        """Write the labels of a COCO keypoints file as one revision (``docs/coco.md``).

        Args:
            video_id: Whose.
            coco: The file; with ``format`` among ``how`` one of another tool, or a ZIP of its project's folder.
            pseudo: A machine's poses are skipped, kept as a ``run``, or taken for a person's (``human``).
            if_match: The revision that the labels should be at; any where left out.
            key: Makes a repetition give the first answer instead of writing twice.
            dry_run: Answer the same, and write nothing.
            how: What else the route takes: ``mode``, ``frame_from``, ``frame_pattern``, ``frame_offset``, ``scale``,
                and for other formats ``format``, ``source``, ``filename``.
        """
        headers = _once(key) | ({} if if_match is None else {"If-Match": f'"{if_match}"'})
        params = {"pseudo": pseudo, **how, **({"dry_run": "1"} if dry_run else {})}
        headers["Content-Type"] = "application/octet-stream" if "format" in how else "application/json"
        path = f"/videos/{video_id}/labels/import"
        return cast("Imported", self._to.json("POST", path, params=params, content=coco, headers=headers))

    def poses(
        self,
        video_id: int,
        start: int = 0,
        stop: int | None = None,
        *,
        layer: Layer = "merged",
        run_id: int | None = None,
    ) -> Poses:
        """Read poses as NumPy arrays.

        Args:
            video_id: Whose.
            start: First frame.
            stop: Frame after the last; the video's end where left out.
            layer: People's labels (``human``), a machine's poses (``pseudo``), or the one laid over the other.
            run_id: Of a machine's poses only those of this run.
        """
        asked = {"layer": layer} | ({} if run_id is None else {"run_id": run_id})
        end = {} if stop is None else {"stop": stop}
        windows: list[Poses] = []
        more: int | None = start
        while more is not None:
            window, more = poses.decode(self.read(f"/videos/{video_id}/poses", start=more, **end, **asked))
            windows.append(window)
        return poses.joined(windows)

    # Runs, exports and jobs.

    def propagate(self, video_id: int, **what: Any) -> JobOut:
        """Have the frames between labels filled in: ``engine="flow"`` and what else the route takes."""
        return cast("JobOut", self.post(f"/videos/{video_id}/propagations", what))

    def runs(self, video_id: int) -> list[RunOut]:
        """The runs of a video."""
        return [*self.pages(f"/videos/{video_id}/runs")]

    def export(self, project_id: int, **what: Any) -> JobOut:
        """Have the project exported: ``format="coco"`` and what else the route takes."""
        return cast("JobOut", self.post(f"/projects/{project_id}/exports", {"format": "coco", **what}))

    def download(self, job: JobOut, target: str | os.PathLike[str]) -> ExportOut:
        """Fetch the file of an export whose job has succeeded; the file is there whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        number = int((job["result"] or {})["export_id"])
        file = Path(target)
        part = file.with_name(f".{file.name}.part")
        try:
            with self._to.stream(f"/exports/{number}/content") as answer, part.open("wb") as stream:
                for piece in answer.iter_bytes():
                    stream.write(piece)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
        return cast("ExportOut", self.get(f"/exports/{number}"))

    def job(self, job_id: int) -> JobOut:
        """One job."""
        return cast("JobOut", self.get(f"/jobs/{job_id}"))

    def wait(self, job_id: int, show: Show = _quietly) -> JobOut:
        """Follow a job to its end and give it.

        Args:
            job_id: The job.
            show: Called with the job as it is now, again and again.

        Raises:
            JobError: It failed or was cancelled.
        """
        pause, longest = _POLL_SECONDS
        while True:
            job = self.job(job_id)
            show(job)
            if job["state"] == "succeeded":
                return job
            if job["state"] in ("failed", "cancelled"):
                raise JobError(job["error"] or f"job {job_id} was cancelled")
            time.sleep(pause)
            pause = min(pause * 1.1, longest)


def _once(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}


__all__ = ["ApiError", "Client", "JobError", "Poses", "Show"]
