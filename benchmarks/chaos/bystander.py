"""A lab that nobody attacks, and that must not feel that others are: its label writes are timed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.chaos.clients import Client
from benchmarks.chaos.journal import Journal, WrittenLabel

_PAUSE_SECONDS = 0.02  # an annotator is slower; more writes say more of the slowest of a hundred


class Bystander:
    """One annotator who writes a label again and again; a thread.

    Args:
        client: The annotator.
        video_id: A video of that lab, with one track.
        frames: How many frames it has.
        journal: Gives where acknowledged labels are written down.

    Attributes:
        times: Seconds that each write took, of those that were acknowledged.
        unanswered: How many were not.
    """

    def __init__(self, client: Client, video_id: int, frames: int, journal: Callable[[], Journal]) -> None:
        self.times: list[float] = []
        self.unanswered = 0
        self._client = client
        self._video_id = video_id
        self._frames = frames
        self._journal = journal

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Write for the length of a block."""
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(ended,), name="bystander")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def taken(self) -> list[float]:
        """The times so far, which are forgotten with that."""
        times, self.times = self.times, []
        return times

    def _run(self, ended: threading.Event) -> None:
        while not ended.wait(_PAUSE_SECONDS):
            self._client.journal = self._journal()
            rng = self._client.rng
            frame = rng.randrange(self._frames)
            points = tuple((rng.randrange(200) / 4, rng.randrange(160) / 4, 2) for _ in range(2))
            label = {"frame_index": frame, "track_id": 1, "keypoints": points}
            began = time.monotonic()
            answer = self._client.try_once("PUT", f"/videos/{self._video_id}/labels", json={"labels": [label]})
            if answer is None or answer.status_code != 200:
                self.unanswered += 1
                continue
            self.times.append(time.monotonic() - began)
            written = WrittenLabel(self._video_id, answer.json()["revision"], frame, 1, points)
            self._client.journal.wrote(written)
