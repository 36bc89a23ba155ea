"""How long 20 000 labels take to write, to write over, to import from COCO, and to read in windows, on SQLite.

Run ``python -m benchmarks.service_labels > benchmarks/results/service_labels.md``. Times are the client's: the body is
encoded before, the answer is read but not decoded.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from sqlalchemy import func, select

from app.database import connect
from app.tables import Label, LabelRevision
from benchmarks.live_server import MIB, LiveServer, Memory, heading, live_server, render, seconds, table

FRAMES, TRACKS, KEYPOINTS = 4000, 5, 17
WINDOW = 1000
ROUNDS = 5


def keypoints(seed: int) -> np.ndarray:
    """``(FRAMES, TRACKS, KEYPOINTS, 3)`` x, y, visibility, every point labelled."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 160, (FRAMES, TRACKS, KEYPOINTS, 2)).round(2)
    return np.concatenate([xy, rng.integers(1, 3, (FRAMES, TRACKS, KEYPOINTS, 1))], axis=-1)


def put_body(seed: int) -> bytes:
    """All labels as a request."""
    poses = keypoints(seed).tolist()
    pairs = [(frame, track) for frame in range(FRAMES) for track in range(TRACKS)]
    labels = [{"frame_index": f, "track_id": t + 1, "keypoints": poses[f][t]} for f, t in pairs]
    return json.dumps({"labels": labels}).encode()


def coco_body(seed: int) -> bytes:
    """All labels as a COCO file."""
    poses = keypoints(seed).reshape(FRAMES * TRACKS, -1).tolist()
    names = [f"keypoint {k}" for k in range(KEYPOINTS)]
    document: dict[str, Any] = {
        "categories": [{"id": 1, "name": "body", "keypoints": names, "skeleton": []}],
        "images": [{"id": f + 1, "width": 160, "height": 120, "frame_index": f} for f in range(FRAMES)],
        "annotations": [
            {
                "id": index + 1,
                "image_id": index // TRACKS + 1,
                "category_id": 1,
                "track_id": index % TRACKS + 1,
                "iscrowd": 0,
                "num_keypoints": KEYPOINTS,
                "keypoints": pose,
            }
            for index, pose in enumerate(poses)
        ],
    }
    return json.dumps(document).encode()


def timed(server: LiveServer, act: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock seconds of a request, and processor seconds that the server spent meanwhile."""
    before = server.process.cpu_times()
    wall = seconds(act)
    after = server.process.cpu_times()
    return wall, after.user + after.system - before.user - before.system


def measure(server: LiveServer, clip: Path) -> tuple[list[tuple[float, float]], int, int, int]:
    """Seconds, and those of the server's processors, of each act; then revisions and rows left, bytes of a window."""
    # Other bytes make another video: a box that players skip.
    clip.write_bytes(clip.read_bytes() + (8).to_bytes(4, "big") + b"free")
    video = server.ready_video(clip, KEYPOINTS)
    url = f"/videos/{video['id']}"
    first, second, imported = put_body(1), put_body(2), coco_body(3)
    window = f"{url}/labels?start={WINDOW}&stop={2 * WINDOW}"
    with server.connect() as client:
        for number in range(TRACKS):
            client.send("POST", f"{url}/tracks", {"name": f"track {number + 1}"})
        times = [
            timed(server, lambda: client.send("PUT", f"{url}/labels", first)),
            timed(server, lambda: client.send("PUT", f"{url}/labels", second)),
            timed(server, lambda: client.send("POST", f"{url}/labels/import", imported)),
            timed(server, lambda: client.send("GET", window)),
        ]
        shown = client.send("GET", window)
        assert json.loads(shown)["next_start"] is None  # all of the window, not its beginning
        size = len(shown)
    database = connect(server.settings.database)
    with database.session(readonly=True) as session:
        revisions, rows = (
            session.scalars(select(func.count()).select_from(kind).where(kind.video_id == video["id"])).one()
            for kind in (LabelRevision, Label)
        )
    database.dispose()
    return times, revisions, rows, size


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        render(clip, FRAMES, 160, 120)
        with live_server(Path(folder) / "data") as server, Memory(server.process) as memory:
            rounds = [measure(server, clip) for _ in range(ROUNDS)]

    count = FRAMES * TRACKS
    acts = {
        "one `PUT`, nothing labelled before": count,
        "one `PUT` over all of them": count,
        "import of a COCO file over all of them": count,
        f"`GET` of {WINDOW} frames, {TRACKS} tracks": WINDOW * TRACKS,
    }
    lines = []
    for (name, labels), times in zip(acts.items(), zip(*(r[0] for r in rounds), strict=True), strict=True):
        wall, processor = (median(column) for column in zip(*times, strict=True))
        lines.append([name, f"{wall:.2f}", f"{processor:.2f}", f"{labels / wall:.0f}"])
    assert all(r[1:3] == rounds[0][1:3] for r in rounds)
    _, revisions, rows, size = rounds[0]
    heading(
        f"{count} labels of {KEYPOINTS} keypoints",
        "service_labels",
        f"Medians of {ROUNDS} rounds, each on a video of its own. SQLite, synchronous=FULL.",
    )
    table(["", "seconds", "processor seconds of the server", "labels/s"], lines)
    print(
        f"Each of the three writes is one revision of its video, and all its rows carry it: {revisions} revisions and "
        f"{rows} rows after them. A window is {size / MIB:.1f} MiB of JSON. "
        f"The server peaked at {memory.peak:.0f} MiB."
    )


if __name__ == "__main__":
    main()
