"""The page in a real browser: how long it takes until what somebody asked for is on the screen.

A long video of small pictures is gone through before it has any poses, and again with five tracks that ``linear``
propagated through all of it; videos of 1280 x 720 and of 3840 x 2160 show what pictures cost; in a short one poses are
fixed while two workers wait, as with ``posetween up``. Needs Node, Chromium and the built page.

Run ``python -m benchmarks.page > benchmarks/results/page.md``. ``--only memory load`` does some parts alone,
``--frames``, ``--large-frames`` and ``--huge-frames`` make the videos shorter; how long each part took goes to standard
error.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.live_server import MIB, LiveServer, heading, live_server, render, table
from cli.worker_processes import kept
from pose.proxy import group_length
from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter

WEB = Path(__file__).parents[1] / "web"
TRACKS, KEYPOINTS, GAP = 5, 15, 200
MANY_TRACKS, MANY_KEYPOINTS = 20, 25
STEPS, JUMPS = 60, 60
HUGE_STEPS, HUGE_JUMPS = 40, 40
FIXED_FRAMES, FIXED_GAP, FIXES = 320, 40, 8
ENDED = ("succeeded", "failed", "cancelled")

Row = tuple[str, str, str]


def look(server: LiveServer, part: str, **told: Any) -> dict[str, Any]:
    """Do one part of ``page.mjs``.

    Raises:
        SystemExit: There is no Node or Chromium, or the browser did not come through; it says why.
    """
    node, chromium = shutil.which("node"), shutil.which("chromium") or shutil.which("chromium-browser")
    if node is None or chromium is None:
        raise SystemExit("this needs Node and Chromium")
    about = {"web": str(WEB), "chromium": chromium, "address": f"http://127.0.0.1:{server.port}", "key": server.key}
    told = {**about, "timeout": 120_000, "steps": STEPS, "part": part, **told}
    command = [node, str(Path(__file__).with_suffix(".mjs")), json.dumps(told)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=900)
    if done.returncode:
        raise SystemExit(f"{part}: {done.stdout}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def label(client: Any, video: dict[str, Any], tracks: int, keypoints: int, frames: Sequence[int]) -> None:
    """Label subjects that walk around, on some frames."""
    url = f"/videos/{video['id']}"
    numbers = [json.loads(client.send("POST", f"{url}/tracks", {"name": f"subject {n}"}))["id"] for n in range(tracks)]
    draw = np.random.default_rng(0)
    shapes = draw.normal(0, video["height"] / 16, (tracks, keypoints, 2))
    for begin in range(0, len(frames), 200):
        labels = []
        for frame in frames[begin : begin + 200]:
            for place, number in enumerate(numbers):
                angle = frame / 400 + place
                middle = np.array([math.cos(angle), math.sin(angle)]) * video["height"] / 4
                points = shapes[place] + middle + [video["width"] / 2, video["height"] / 2]
                keyed = [[float(x), float(y), 2] for x, y in points.round(2)]
                labels.append({"frame_index": frame, "track_id": number, "keypoints": keyed})
        client.send("PUT", f"{url}/labels", {"labels": labels})


def at(values: Sequence[float], share: float) -> str:
    """A quantile."""
    return f"{np.quantile(values, share):.0f} ms"


class Videos:
    """The videos, each made when it is first looked at.

    Args:
        server: Where they are.
        folder: Where their files are written.
        frames: Of the long one.
        large_frames: Of the one with large pictures.
        huge_frames: Of the one with larger ones.
    """

    def __init__(self, server: LiveServer, folder: Path, frames: int, large_frames: int, huge_frames: int) -> None:
        self.server, self.frames, self.large_frames, self.huge_frames = server, frames, large_frames, huge_frames
        self._folder = folder

    @cached_property
    def long(self) -> dict[str, Any]:
        """The long one, without labels."""
        return self._made("long.mp4", self.frames, 320, 180, KEYPOINTS)

    @cached_property
    def filled(self) -> dict[str, Any]:
        """The long one, propagated from its first frame to its last."""
        with self.server.connect() as client:
            label(client, self.long, TRACKS, KEYPOINTS, range(0, self.frames, GAP))
            client.send("POST", f"/videos/{self.long['id']}/propagations", {"engine": "linear"})
        self.server.work()
        return self.long

    @cached_property
    def large(self) -> dict[str, Any]:
        """The one with large pictures, with many subjects on its first frames."""
        video = self._made("large.mp4", self.large_frames, 1280, 720, MANY_KEYPOINTS)
        with self.server.connect() as client:
            label(client, video, MANY_TRACKS, MANY_KEYPOINTS, range(40))
        return video

    @cached_property
    def huge(self) -> dict[str, Any]:
        """One as cameras for sports make it."""
        return self._made("huge.mp4", self.huge_frames, 3840, 2160, KEYPOINTS)

    @cached_property
    def walk(self) -> dict[str, Any]:
        """One of somebody who walks, labelled as they are on a few frames."""
        scene = Scene(SceneSpec(seed=1, num_frames=FIXED_FRAMES, width=1280, height=720))
        with VideoWriter(self._folder / "walk.mp4", 30, 1280, 720) as writer:
            for picture in scene.frames():
                writer.write(picture)
        video = self.server.ready_video(self._folder / "walk.mp4", len(scene.skeleton.keypoints))
        truth, labels = scene.tracks[1], []
        with self.server.connect() as client:
            made = client.send("POST", f"/videos/{video['id']}/tracks", {"name": "subject"})
            for frame in (*range(0, FIXED_FRAMES, FIXED_GAP), FIXED_FRAMES - 1):
                keyed = [[x, y, 2] for x, y in truth.xy[frame].round(2).tolist()]
                labels.append({"frame_index": frame, "track_id": json.loads(made)["id"], "keypoints": keyed})
            client.send("PUT", f"/videos/{video['id']}/labels", {"labels": labels})
        return video

    def _made(self, name: str, frames: int, width: int, height: int, keypoints: int) -> dict[str, Any]:
        render(self._folder / name, frames, width, height)
        return self.server.ready_video(self._folder / name, keypoints)


def plain(videos: Videos) -> list[Row]:
    """The long video before it has poses."""
    seen = look(videos.server, "pictures", video=videos.long["id"], cold=[], far=videos.frames // 3)
    return [
        ("next frame, prefetched, 95th percentile; `long` without a pose", at(seen["moved"], 0.95), "50 ms"),
        ("arrow held; `long` without a pose", f"{seen['held']:.0f} frames/s", "≥ 20"),
    ]


def filled(videos: Videos) -> list[Row]:
    """The long video with poses everywhere."""
    seen = look(videos.server, "filled", video=videos.filled["id"], far=videos.frames // 3)
    drawn, asked = seen["timeline"]["drawn"], seen["timeline"]["asked"]
    return [
        (
            f"next frame, prefetched, 95th percentile; `long` with {videos.frames} x {TRACKS} machine poses",
            at(seen["moved"], 0.95),
            "50 ms",
        ),
        ("arrow held; `long` with poses", f"{seen['held']:.0f} frames/s", "≥ 20"),
        ("first picture of `long` with poses, from the address on", f"{seen['first']:.0f} ms", "1000 ms"),
        (
            "timeline of `long` with poses, from the arrival of its buckets until it is drawn",
            f"{drawn:.0f} ms",
            "100 ms",
        ),
        ("the same, from asking for them", f"{asked:.0f} ms", ""),
        ("a frame while that timeline is panned, 95th percentile", at(seen["pan"], 0.95), "16 ms and a wait"),
    ]


def queue(videos: Videos) -> list[Row]:
    """The queue of the long video."""
    seen = look(videos.server, "queue", video=videos.filled["id"])
    rate = 1000 / float(np.mean(seen["scrolled"]))
    return [
        (
            f"queue with {seen['waiting']} suggestions, from the key until its first ones are listed",
            f"{seen['listed']:.0f} ms",
            "",
        ),
        ("the queue scrolled", f"{rate:.0f} frames/s", "60"),
    ]


def many(videos: Videos) -> list[Row]:
    """Many subjects at once, and edits of one."""
    seen = look(videos.server, "many", video=videos.large["id"])
    return [
        (f"{MANY_TRACKS} x {MANY_KEYPOINTS} keypoints drawn, 95th percentile", at(seen["drawn"], 0.95), "8 ms"),
        ("an edit until it is saved, 95th percentile", at(seen["saved"], 0.95), "1000 ms"),
    ]


def pictures(videos: Videos, name: str, steps: int, jumps: int) -> list[Row]:
    """Pictures of a video without poses."""
    video, frames = getattr(videos, name), getattr(videos, f"{name}_frames")
    # One of each group that is decoded together: the others of it are made ahead.
    draw, group = np.random.default_rng(1), group_length(video["width"], video["height"])
    begins = draw.permutation(np.arange(group * -(-(steps + 200) // group), frames - group, group))[:jumps]
    order = (begins + draw.integers(0, group, len(begins))).tolist()
    seen = look(videos.server, "pictures", video=video["id"], steps=steps, cold=order, far=frames // 2)
    return [
        (f"next frame, prefetched, 95th percentile; `{name}`", at(seen["moved"], 0.95), "50 ms"),
        (f"any frame of `{name}`, cold, median", at(seen["cold"], 0.5), "120 ms"),
        (f"any frame of `{name}`, cold, 99th percentile", at(seen["cold"], 0.99), "300 ms"),
        (f"arrow held; `{name}`", f"{seen['held']:.0f} frames/s", "≥ 20"),
    ]


def large(videos: Videos) -> list[Row]:
    """Large pictures."""
    return pictures(videos, "large", STEPS, JUMPS)


def huge(videos: Videos) -> list[Row]:
    """Larger ones."""
    return pictures(videos, "huge", HUGE_STEPS, HUGE_JUMPS)


def fixes(videos: Videos) -> list[Row]:
    """Poses that are fixed one after the other, each propagated into the gaps beside it."""
    url, rows = f"/videos/{videos.walk['id']}", []
    for engine, wanted in (("flow", "1000 ms"), ("stdpose", "2000 ms")):
        with kept(videos.server.settings), videos.server.connect() as client:
            job = json.loads(client.send("POST", f"{url}/propagations", {"engine": engine, "adapt": False}))
            while job["state"] not in ENDED:
                time.sleep(0.5)
                job = json.loads(client.send("GET", f"/jobs/{job['id']}"))
            if job["state"] != "succeeded":
                raise SystemExit(f"{engine}: {job['error']}")
            times = look(videos.server, "fixes", video=videos.walk["id"], fixes=FIXES)["shown"]
        what = f"a fix, from the key until its two gaps of {FIXED_GAP} frames together show new poses of `{engine}`"
        rows += [(f"{what}, median", at(times, 0.5), wanted), (f"{what}, the slowest", at(times, 1), "")]
    return rows


def memory(videos: Videos) -> list[Row]:
    """What is kept after an arrow was held for long."""
    seen = look(videos.server, "memory", video=videos.large["id"], frames=videos.large_frames - 100)
    after = f"after {seen['frames']} frames of `large`"
    return [
        (f"JavaScript's heap {after}", f"{seen['heap'] / MIB:.0f} MiB", "300 MB"),
        (f"all memory of the page's process {after}, pictures with it", f"{seen['process'] / MIB:.0f} MiB", "300 MB"),
    ]


def load(videos: Videos) -> list[Row]:
    """What a browser that knows nothing loads."""
    seen = look(videos.server, "load")
    return [
        ("first load, all of it", f"{seen['all'] / 1000:.0f} kB", "300 kB"),
        ("first load, script", f"{seen['script'] / 1000:.0f} kB", "200 kB"),
    ]


PARTS: dict[str, Callable[[Videos], list[Row]]] = {
    part.__name__: part for part in (plain, filled, queue, large, huge, many, fixes, memory, load)
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=200_000, help="of the long video")
    parser.add_argument("--large-frames", type=int, default=2100, help="of the video with large pictures")
    parser.add_argument("--huge-frames", type=int, default=530, help="of the video with larger ones")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts alone")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, live_server(Path(folder) / "data") as server:
        heading(
            "The page in a browser",
            f"page --frames {chosen.frames}",
            f"Chromium without a GPU, its window 1280 x 800. `long`: {chosen.frames} frames of 320 x 180; `large`:"
            f" {chosen.large_frames} of 1280 x 720; `huge`: {chosen.huge_frames} of 3840 x 2160. From the key or"
            " pointer to the frame that shows it.",
        )
        videos = Videos(server, Path(folder), chosen.frames, chosen.large_frames, chosen.huge_frames)
        rows = []
        for name in chosen.only:
            began = time.perf_counter()
            rows += PARTS[name](videos)
            print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    table(("", "measured", "wanted, at most"), rows)


if __name__ == "__main__":
    main()
