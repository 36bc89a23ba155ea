"""One lab that does what it can to hold up all others: a process that ``benchmarks.annotators`` starts.

It keeps streams of a job open, begins writes whose bodies never come, reads all of a video with as many labels as one
import may bring, and asks for frames in ever other widths, without a pause.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

STREAMS, WITHHELD, READERS, LOOKERS = 40, 60, 6, 8
_HELD_SECONDS = 20.0
_PIECE = 2**16


@dataclass(frozen=True)
class Attack:
    """From where, and against what.

    Attributes:
        port: The server's, on loopback.
        seconds: For how long.
        key: Of an annotator of the hostile lab.
        video_id: A video of that lab with many labels.
        project_id: Its project.
        num_frames: How many frames it has.
    """

    port: int
    seconds: float
    key: str
    video_id: int
    project_id: int
    num_frames: int


class Attacker:
    """The attack, and how often what was answered."""

    def __init__(self, attack: Attack) -> None:
        self.answers: Counter[str] = Counter()
        self._attack = attack
        self._frame = 0

    async def work(self) -> None:
        """Go on until the time is over."""
        video = f"/api/v1/videos/{self._attack.video_id}"
        job = await self._start(f"/api/v1/projects/{self._attack.project_id}/exports")
        acts = [self._ask(f"/api/v1/jobs/{job}/events", "stream") for _ in range(STREAMS)]
        acts += [self._withhold(f"{video}/labels") for _ in range(WITHHELD)]
        acts += [self._ask(f"{video}/labels", "read") for _ in range(READERS)]
        acts += [self._look(video) for _ in range(LOOKERS)]
        with suppress(TimeoutError):
            async with asyncio.timeout(self._attack.seconds):
                await asyncio.gather(*acts)

    async def _start(self, path: str) -> int:
        reader, writer = await self._begin("POST", path, 2)
        writer.write(b"{}")
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        body = await reader.readexactly(int(fields[b"content-length"]))
        writer.close()
        return int(json.loads(body)["id"])

    async def _ask(self, path: str, kind: str) -> None:
        while True:
            await self._one(path, kind)

    async def _look(self, video: str) -> None:
        while True:
            self._frame += 1
            await self._one(
                f"{video}/frames/{self._frame % self._attack.num_frames}?width={300 + self._frame}", "frame"
            )

    async def _one(self, path: str, kind: str) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await self._begin("GET", path, 0)
            try:
                status = (await reader.readuntil(b"\r\n")).split()[1].decode()
                self.answers[f"{kind} {status}"] += 1
                while await reader.read(_PIECE):
                    pass
            finally:
                writer.close()
        await asyncio.sleep(0.01)

    async def _withhold(self, path: str) -> None:
        while True:
            with suppress(OSError):
                _, writer = await self._begin("PUT", path, 1000)
                writer.write(b"{")
                self.answers["bodies withheld"] += 1
                await asyncio.sleep(_HELD_SECONDS)
                writer.close()

    async def _begin(self, method: str, path: str, length: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._attack.port)
        writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._attack.key}\r\n"
            f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        return reader, writer


def main() -> None:
    """Read an attack as JSON from standard input, make it, and print what was answered as JSON."""
    attacker = Attacker(Attack(**json.load(sys.stdin)))
    asyncio.run(attacker.work())
    json.dump(dict(attacker.answers), sys.stdout)


if __name__ == "__main__":
    main()
