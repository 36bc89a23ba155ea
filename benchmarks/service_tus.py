"""How fast a 512 MiB video comes in over tus in pieces, beside the same file as one plain POST.

Run ``python -m benchmarks.service_tus > benchmarks/results/service_tus.md``. The ways take turns; every upload has
other bytes. Each piece is on disk when it is answered, and the video is probed when the last one is.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from statistics import median

from app.main import PREFIX
from benchmarks.live_server import MIB, LiveServer, Memory, heading, live_server, render, seconds, table
from benchmarks.service_upload import enlarge, renew

SIZE = 512 * MIB
PIECE = 8 * MIB
ROUNDS = 3


class TusConnection:
    """A bare client of tus on one kept connection; the kernel moves the bytes."""

    def __init__(self, server: LiveServer, video: Path) -> None:
        self._http = HTTPConnection("127.0.0.1", server.port, timeout=600)
        self._headers = {"Authorization": f"Bearer {server.key}", "Tus-Resumable": "1.0.0"}
        self._video = video

    def upload(self, project_id: int, piece: int, *, checksum: bool = False) -> None:
        """Upload the video in pieces."""
        metadata = f"project_id {base64.b64encode(str(project_id).encode()).decode()}"
        size = self._video.stat().st_size
        begun = {"Upload-Length": str(size), "Upload-Metadata": metadata, "Content-Length": "0"}
        url = self._send("POST", f"{PREFIX}/uploads", begun).headers["Location"]
        for offset in range(0, size, piece):
            answer = self._patch(url, offset, min(piece, size - offset), checksum=checksum)
        assert answer.headers["Posetween-Video"]
        self._http.close()

    def _patch(self, url: str, offset: int, count: int, *, checksum: bool) -> HTTPResponse:
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(count),
        }
        with self._video.open("rb") as file:
            if checksum:
                file.seek(offset)
                digest = base64.b64encode(hashlib.sha1(file.read(count)).digest()).decode()
                headers["Upload-Checksum"] = f"sha1 {digest}"
            return self._send("PATCH", url, headers, lambda: self._http.sock.sendfile(file, offset, count))

    def _send(self, method: str, url: str, headers: dict[str, str], body: object = None) -> HTTPResponse:
        self._http.putrequest(method, url)
        for name, value in {**self._headers, **headers}.items():
            self._http.putheader(name, value)
        self._http.endheaders()
        if callable(body):
            body()
        answer = self._http.getresponse()
        said = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{answer.status}: {said[:500].decode()}")
        return answer


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "large.mp4"
        render(video, 60, 640, 360)
        enlarge(video, SIZE)
        with live_server(Path(folder) / "data") as server:
            with server.connect() as client:
                body = {"name": "uploads", "skeleton": {"name": "point", "keypoints": ["point"]}}
                project_id = json.loads(client.send("POST", "/projects", body))["id"]

            def plain() -> None:
                with server.connect() as client:
                    client.send_file(f"/projects/{project_id}/videos?filename=large.mp4", video)

            ways = {
                "plain POST": plain,
                "tus, pieces of 8 MiB": lambda: TusConnection(server, video).upload(project_id, PIECE),
                "tus, pieces of 8 MiB with SHA-1": lambda: TusConnection(server, video).upload(
                    project_id, PIECE, checksum=True
                ),
                "tus, one piece": lambda: TusConnection(server, video).upload(project_id, SIZE),
            }
            taken: dict[str, list[float]] = {name: [] for name in ways}
            grown: dict[str, float] = dict.fromkeys(ways, 0.0)
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    renew(video)
                    with Memory(server.process) as memory:
                        taken[name].append(seconds(way))
                    grown[name] = max(grown[name], memory.peak - memory.before)

    heading(
        "Uploading 512 MiB over tus",
        "service_tus",
        f"Medians of {ROUNDS} rounds taken by turns. With SHA-1 the client digests each piece before it sends it, and "
        "the server keeps it aside until it has been judged.",
    )
    rows = []
    for name, times in taken.items():
        ratio = median(ours / theirs for ours, theirs in zip(times, taken["plain POST"], strict=True))
        rows.append([name, f"{median(times):.2f}", f"{SIZE / MIB / median(times):.0f}", f"{ratio:.2f}"])
        rows[-1].append(f"{grown[name]:.0f}")
    table(["", "seconds", "MiB/s", "time over that of the plain POST", "growth of the server's memory, MiB"], rows)


if __name__ == "__main__":
    main()
