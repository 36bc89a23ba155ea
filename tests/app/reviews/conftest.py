"""Desks on both kinds of database, and acts of reviewing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from app.settings import Settings
from tests.app.desk import Desk


@pytest.fixture(scope="module")
def workroom(serving, module_database_url, tmp_path_factory) -> Any:
    """A service for many desks, on either database."""
    data_dir = tmp_path_factory.mktemp("workroom")
    return serving(Settings(data_dir=data_dir, port=0, database_url=module_database_url))


@dataclass
class Reviewer:
    """Somebody who looks at what was propagated at a desk."""

    desk: Desk

    @property
    def url(self) -> str:
        return f"{self.desk.url}/reviews"

    def send(self, verdict: str, start: int, stop: int, **body: Any) -> Any:
        """Give a verdict; gives the answer."""
        headers = body.pop("headers", None)
        body = {"verdict": verdict, "start": start, "stop": stop, **body}
        return self.desk.http.post(self.url, json=body, headers=headers)

    def say(self, verdict: str, start: int, stop: int, **body: Any) -> dict[str, Any]:
        """Give a verdict that is right; gives the review."""
        answer = self.send(verdict, start, stop, **body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def undo(self, number: int) -> Any:
        return self.desk.http.post(f"{self.url}/{number}/undo")

    def listed(self) -> list[dict[str, Any]]:
        return self.desk.http.get(self.url).json()["items"]

    def shown(self, track: int = 1, layer: str = "merged") -> dict[int, dict[str, Any]]:
        """The poses of a track by frame."""
        labels = self.desk.http.get(f"{self.desk.url}/labels", params={"layer": layer}).json()["labels"]
        return {label["frame_index"]: label for label in labels if label["track_id"] == track}

    def accepted(self, track: int = 1) -> list[int]:
        """The frames on which all of a machine's points are accepted."""
        return [frame for frame, label in self.shown(track).items() if label["source"] == "accepted"]

    def rejected(self, track: int = 1) -> list[int]:
        """The frames on which any point is rejected."""
        return [frame for frame, label in self.shown(track).items() if label.get("rejected")]

    def exported(self, track: int = 1, **spec: Any) -> dict[int, dict[str, Any]]:
        """Annotations of a track by frame."""
        document = json.loads(self.desk.export(**spec))
        frames = {image["id"]: image["frame_index"] for image in document["images"]}
        return {frames[row["image_id"]]: row for row in document["annotations"] if row["track_id"] == track}


@pytest.fixture
def reviewer(desk) -> Reviewer:
    return Reviewer(desk)


@pytest.fixture
def run(desk) -> int:
    """A propagation of track 1 from three labels."""
    desk.label(1, 0, 20, 40)
    return desk.propagate()
