"""A lab whose videos are the same walk, labelled on some frames, so that engines are measured on them."""

from __future__ import annotations

from typing import Any

from app.database import connect
from app.storage import open_storage

FRAMES = (0, 8, 16, 24, 32, 44)


class Lab:
    """A service with a project; videos are the same walk, labelled on some frames."""

    def __init__(self, service: Any, walker: Any) -> None:
        self.service, self.http, self.walker = service, service.http, walker
        self.project = service.project(walker.skeleton)
        self.database = connect(service.settings.database)
        self.storage = open_storage(service.settings)
        self.url = self.video()
        self.number = int(self.url.rpartition("/")[2])

    def video(self, frames: tuple[int, ...] = FRAMES) -> str:
        content = self.walker.path.read_bytes() + b"\0\0\0\x08free" * self.count  # another file, the same walk
        url = f"/projects/{self.project['id']}/videos"
        number = self.http.post(url, params={"filename": "walk.mp4"}, content=content).json()["id"]
        self.service.work()
        self.service.track({"id": number})
        labels = [self.service.label(frame, 1, self.walker.tracks[1]) for frame in frames]
        assert self.http.put(f"/videos/{number}/labels", json={"labels": labels}).status_code == 200
        return f"/videos/{number}"

    @property
    def count(self) -> int:
        return len(self.http.get(f"/projects/{self.project['id']}/videos").json()["items"])

    def run(self, url: str | None = None, **body: Any) -> int:
        job = self.service.finished(
            self.http.post(f"{url or self.url}/propagations", json={"engine": "linear", **body}).json()
        )
        assert job["state"] == "succeeded", job
        return job["result"]["run_id"]

    def told(self, run: int) -> Any:
        answer = self.http.get(f"/runs/{run}")
        assert answer.status_code == 200, answer.text
        return answer.json()["calibration"]

    def between(self, run: int) -> Any:
        (one,) = [one for one in self.told(run)["regimes"] if one["regime"] == "between"]
        return one
