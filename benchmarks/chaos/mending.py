"""An annotator who mends tracks and says what is not here, and takes each act back: nothing may stay of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.chaos.clients import Client, Refused
from benchmarks.chaos.journal import Mended, SaidAbsent

SUBJECTS, SUBJECT = 2, "subject"  # how many, and what each is called
_ABSENT_AT_ONCE = 3


@dataclass
class Mending:
    """A video that nobody else labels, with two subjects on the same frames.

    Attributes:
        video_id: The video.
        frames: Labelled frames.
        exported: What an export of it looks like while no act stands; None while that is not known.
    """

    video_id: int
    frames: list[int]
    exported: str | None = None

    def act(self, client: Client, export: Callable[[int], bytes | None]) -> None:
        """One act at random, and back.

        Args:
            client: Who acts.
            export: Exports a video; None where that job did not succeed.
        """
        before = self.exported or _digest(export(self.video_id))
        name, path = client.rng.choice(sorted(ACTS.items()))
        first = self._present(client)
        told = path(self, client)
        for revision in range(told, first, -1):  # what was not answered, and so sent again, may have been done twice
            client.ask("POST", f"/videos/{self.video_id}/labels/revisions/{revision}/undo")
        last = self._present(client)
        self.exported = _digest(export(self.video_id))
        names = {one["id"]: one["name"] for one in client.ask("GET", f"/videos/{self.video_id}/tracks")["items"]}
        client.journal.mended.append(
            Mended(self.video_id, name, (*range(first + 1, last + 1),), before, self.exported, names)
        )

    def _present(self, client: Client) -> int:
        return int(client.ask("GET", f"/videos/{self.video_id}/labels", params={"start": 0, "stop": 1})["revision"])

    def _track(self, client: Client, method: str, path: str, **body: Any) -> int:
        answer = client.ask(method, f"/videos/{self.video_id}/tracks/{path}", json=body)
        return int(answer["revision"])

    def _rename(self, client: Client) -> int:
        return self._track(client, "PATCH", "1", name=f"renamed {client.rng.randrange(10**6)}")

    def _delete(self, client: Client) -> int:
        try:
            return int(client.ask("DELETE", f"/videos/{self.video_id}/tracks/2")["revision"])
        except Refused:
            return self._present(client)  # it was done, and the answer was lost

    def _swap(self, client: Client) -> int:
        start, stop = sorted(client.rng.sample(self.frames, 2))
        return self._track(client, "POST", "swap", a=1, b=2, start=start, stop=stop)

    def _merge(self, client: Client) -> int:
        prefer = client.rng.choice(("from", "into"))
        return self._track(client, "POST", "merge", **{"from": 2, "into": 1, "prefer": prefer})

    def _split(self, client: Client) -> int:
        return self._track(client, "POST", "split", track=1, start=client.rng.choice(self.frames[1:]))

    def _absent(self, client: Client) -> int:
        frames = client.rng.sample(self.frames, _ABSENT_AT_ONCE)
        labels = [{"frame_index": frame, "track_id": 2, "absent": True} for frame in frames[1:]]
        labels.append({"frame_index": frames[0], "track_id": 1, "absent": [1]})
        revision = int(client.ask("PUT", f"/videos/{self.video_id}/labels", json={"labels": labels})["revision"])
        client.journal.absent += [
            SaidAbsent(self.video_id, revision, one["frame_index"], one["track_id"], one["absent"] is True)
            for one in labels
        ]
        return revision


#: What is done, by name; each gives the revision that it was answered.
ACTS: dict[str, Callable[[Mending, Client], int]] = {
    "rename": Mending._rename,
    "delete": Mending._delete,
    "swap": Mending._swap,
    "merge": Mending._merge,
    "split": Mending._split,
    "absent": Mending._absent,
}


def _digest(exported: bytes | None) -> str | None:
    return None if exported is None else hashlib.sha256(exported).hexdigest()
