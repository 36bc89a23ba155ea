"""A lab of its own beside the one that works, and an annotator in it."""

from __future__ import annotations

import time
from random import Random
from typing import Any

from benchmarks.chaos.clients import Client, NoAnswer
from benchmarks.chaos.installation import Installation
from benchmarks.chaos.journal import Journal

_PATIENCE = 120.0
_LOOK_SECONDS = 0.1


class OtherLab:
    """One annotator of a lab, with a project; one thread at a time asks as it.

    Args:
        installation: Where the lab is made.
        name: The lab's.
        journal: Where the annotator writes down what is answered.
        rng: For what is done at random.

    Attributes:
        client: The annotator.
        key: The annotator's.
        project_id: The project.
    """

    def __init__(self, installation: Installation, name: str, journal: Journal, rng: Random) -> None:
        operator = Client(installation.address, installation.key, journal, rng)
        made = operator.ask("POST", "/labs", json={"name": name})
        operator.close()
        admin = Client(installation.address, made["key"]["key"], journal, rng)
        skeleton = {"name": "pair", "keypoints": ["a", "b"]}
        project = admin.ask("POST", "/projects", json={"name": name, "skeleton": skeleton})
        self.project_id = int(project["id"])
        self.key = str(admin.ask("POST", "/keys", json={"name": name, "role": "annotator"})["key"])
        self.client = Client(installation.address, self.key, journal, rng)
        self._admin = admin

    def close(self) -> None:
        """Close the connections."""
        self.client.close()
        self._admin.close()

    def bring(self, data: bytes) -> int:
        """Upload a video and wait until it is ready, with one track; gives its id.

        Raises:
            NoAnswer: It was not for too long.
        """
        video_id = self.client.upload(self.project_id, data)
        self.wait(f"/videos/{video_id}", "status", ("ready",))
        self.client.ask("POST", f"/videos/{video_id}/tracks", json={"name": "one"})
        return video_id

    def wait(self, path: str, field: str, wanted: tuple[str, ...], patience: float = _PATIENCE) -> dict[str, Any]:
        """Ask for something until a field of it has one of some values.

        Raises:
            NoAnswer: It had not for too long.
        """
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            shown = self.client.ask("GET", path)
            if shown[field] in wanted:
                return shown
            time.sleep(_LOOK_SECONDS)
        raise NoAnswer(f"{path}: {shown[field]}")

    def throw_away(self, video_id: int) -> None:
        """Have a video erased, with what was written to it."""
        self._admin.journal = self.client.journal
        self._admin.delete(video_id, purge=True)
