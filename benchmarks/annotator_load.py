"""The load that annotators make, from a process of its own: what ``benchmarks.annotators`` starts.

Each annotator is a page that does three things beside each other, each at a fixed pace: fetches frames, writes labels,
reads the timeline. Nobody steps on from a frame that is not there yet: while an answer is missing the page asks for
nothing more of that kind, and goes on at the first moment of its pace after it. Moments that passed meanwhile are
counted, as are requests; a slow server gets fewer of them, and this tells how many.

Requests are written and read with as little work as Python allows, since real annotators bring computers of their own.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop

FRAME_SECONDS, LABEL_SECONDS, TIMELINE_SECONDS = 0.5, 3.0, 10.0
#: Somebody who waits for so long reloads the page.
PATIENCE_SECONDS = 60.0
KEYPOINTS = 17


@dataclass(frozen=True)
class Workplace:
    """Where one annotator works."""

    key: str
    video_id: int
    track_id: int
    num_frames: int


@dataclass(frozen=True)
class Load:
    """What is to be done.

    Attributes:
        port: The server's, on loopback.
        seconds: For how long requests are made.
        arrival: Seconds over which the annotators begin, each at a moment of its own.
        width: Pixels of the frames that a page asks for.
        workplaces: One for each annotator.
    """

    port: int
    seconds: float
    arrival: float
    width: int
    workplaces: list[Workplace]


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        times: For each kind of request, when it was wanted (seconds since the start) and the milliseconds that it took.
        missed: For each kind, when there would have been another request, had the one before been answered.
        errors: Sentences, the first few of each kind.
        failed: How many requests failed.
        processor: Processor seconds of this process.
    """

    times: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    missed: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    failed: int = 0
    processor: float = 0.0


class _Browser:
    """Kept connections, opened as they are needed."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request; gives the status and the body of its answer."""
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
        request = f"{method} /api/v1{path} HTTP/1.1\r\n{self._head}{kind}\r\n".encode() + body
        while True:
            kept = bool(self._free)
            ends = self._free.pop() if kept else await asyncio.open_connection("127.0.0.1", self._port)
            try:
                ends[1].write(request)
                head = await ends[0].readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                answer = await ends[0].readexactly(int(length))
            except BaseException as error:
                ends[1].close()
                # The server may close a connection that was idle for long just then; browsers open another.
                if kept and isinstance(error, ConnectionError | asyncio.IncompleteReadError):
                    continue
                raise
            self._free.append(ends)
            return int(head[9:12]), answer

    def close(self) -> None:
        for _, writer in self._free:
            writer.close()


class _Annotator:
    def __init__(self, load: Load, place: Workplace, outcome: Outcome, seed: int) -> None:
        self._load, self._place, self._outcome = load, place, outcome
        self._rng = random.Random(seed)
        self._browser = _Browser(load.port, place.key)
        self._frame = self._rng.randrange(place.num_frames)
        self._late = self._rng.random() * load.arrival
        self._video = f"/videos/{place.video_id}"

    async def work(self, start: float) -> None:
        """Do everything that this annotator does, on the loop's clock, where the work of all begins at ``start``."""
        await asyncio.gather(
            self._repeat("frame", FRAME_SECONDS, start, self._fetch),
            self._repeat("label", LABEL_SECONDS, start, self._write),
            self._repeat("timeline", TIMELINE_SECONDS, start, self._look),
        )
        self._browser.close()

    async def _repeat(
        self, kind: str, every: float, start: float, request: Callable[[], tuple[str, str, bytes]]
    ) -> None:
        loop = asyncio.get_running_loop()
        wanted = start + self._late + self._rng.random() * every
        while wanted < start + self._load.seconds:
            await asyncio.sleep(wanted - loop.time())
            await self._one(kind, wanted, start, *request())
            wanted += every
            while wanted < loop.time():
                self._outcome.missed.setdefault(kind, []).append(wanted - start)
                wanted += every

    async def _one(self, kind: str, wanted: float, start: float, method: str, path: str, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(wanted + PATIENCE_SECONDS):
                status, answer = await self._browser.send(method, path, body)
            error = f"{status} {answer[:200]!r}" if status != 200 else ""
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as trouble:
            error = f"{type(trouble).__name__} {trouble}"
        if not error:
            taken = 1000 * (loop.time() - wanted)
            self._outcome.times.setdefault(kind, []).append((wanted - start, taken))
            return
        self._outcome.failed += 1
        if len(self._outcome.errors) < 10:
            self._outcome.errors.append(f"{kind}: {error}")

    def _fetch(self) -> tuple[str, str, bytes]:
        rng, last = self._rng, self._place.num_frames
        chance = rng.random()
        if chance < 0.9:
            self._frame = (self._frame + rng.randint(1, 10)) % last
        elif chance < 0.95:
            self._frame = max(0, self._frame - rng.randint(1, 10))
        else:
            self._frame = rng.randrange(last)
        return "GET", f"{self._video}/frames/{self._frame}?width={self._load.width}", b""

    def _write(self) -> tuple[str, str, bytes]:
        points = [
            [round(self._rng.uniform(0, 700), 2), round(self._rng.uniform(0, 700), 2), 2] for _ in range(KEYPOINTS)
        ]
        label = {"frame_index": self._frame, "track_id": self._place.track_id, "keypoints": points}
        return "PUT", f"{self._video}/labels", json.dumps({"labels": [label]}).encode()

    def _look(self) -> tuple[str, str, bytes]:
        return "GET", f"{self._video}/labels?start=0&stop={self._place.num_frames}", b""


async def _work(load: Load) -> Outcome:
    outcome = Outcome()
    start = asyncio.get_running_loop().time() + 1
    annotators = [_Annotator(load, place, outcome, seed) for seed, place in enumerate(load.workplaces)]
    await asyncio.gather(*(annotator.work(start) for annotator in annotators))
    outcome.processor = time.process_time()
    return outcome


def main() -> None:
    """Read a load as JSON from standard input, make it, and print the outcome as JSON."""
    said: dict[str, Any] = json.load(sys.stdin)
    load = Load(**{**said, "workplaces": [Workplace(**place) for place in said["workplaces"]]})
    json.dump(asdict(uvloop.run(_work(load))), sys.stdout)


if __name__ == "__main__":
    main()
