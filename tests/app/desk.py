"""A video with subjects whose labels are easy to tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2


def pose(track: int, frame: int, *, known: tuple[bool, bool] = (True, True)) -> list[list[float]]:
    """Two points whose place tells of which track and frame they were made."""
    points = [[10 * track + frame, 100 + k, 2 - k] for k in range(2)]
    return [point if is_known else [0, 0, 0] for point, is_known in zip(points, known, strict=True)]


@dataclass
class Desk:
    """A video of 45 frames with three tracks, of which nothing is labelled yet."""

    service: Any
    project: dict[str, Any]
    video: dict[str, Any]

    @property
    def http(self) -> httpx2.Client:
        return self.service.http

    @property
    def url(self) -> str:
        return f"/videos/{self.video['id']}"

    def put(self, *labels: tuple[int, int, list[list[float]]]) -> int:
        """Write labels as frame, track and points; gives the revision."""
        rows = [{"frame_index": frame, "track_id": track, "keypoints": points} for frame, track, points in labels]
        answer = self.http.put(f"{self.url}/labels", json={"labels": rows})
        assert answer.status_code == 200, answer.text
        return answer.json()["revision"]

    def label(self, track: int, *frames: int) -> int:
        """Write the track's own poses on frames; gives the revision."""
        return self.put(*((frame, track, pose(track, frame)) for frame in frames))

    def read(self, **query: Any) -> dict[tuple[int, int], list[list[float]]]:
        """What people said, by track and frame."""
        labels = self.http.get(f"{self.url}/labels", params=query).json()["labels"]
        return {(label["track_id"], label["frame_index"]): label["keypoints"] for label in labels}

    def edit(self, act: str, headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
        """Swap, merge or split."""
        return self.http.post(f"{self.url}/tracks/{act}", json=body, headers=headers)

    def undo(self, revision: int) -> httpx2.Response:
        return self.http.post(f"{self.url}/labels/revisions/{revision}/undo")

    def tracks(self, **query: Any) -> dict[int, str]:
        """Names of the tracks by their numbers."""
        return {row["id"]: row["name"] for row in self.http.get(f"{self.url}/tracks", params=query).json()["items"]}

    def export(self, **spec: Any) -> bytes:
        """The bytes of an export as things are now."""
        job = self.http.post(f"/projects/{self.project['id']}/exports", json=spec).json()
        ended = self.service.finished(job)
        assert ended["state"] == "succeeded", ended
        return self.http.get(f"/exports/{ended['result']['export_id']}/content").content

    def propagate(self, **body: Any) -> int:
        """Propagate; gives the run's id."""
        job = self.http.post(f"{self.url}/propagations", json={"engine": "linear", **body}).json()
        return self.service.finished(job)["result"]["run_id"]
