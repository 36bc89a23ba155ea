"""``posetween demo``: the whole loop on a rendered video, through a service of its own."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from pycocotools.coco import COCO
from rich.console import Console
from rich.table import Table

from cli.client import Client
from cli.sample import write_sample
from pose.drawing import contact_sheet, overlay
from pose.formats.coco import CocoPoses, check_coco, read_coco
from pose.metrics import Summary, evaluate
from pose.skeleton import Skeleton
from pose.synthetic import SceneSpec
from pose.track import Track
from pose.video import Video
from pose.video_writer import VideoWriter

#: Label this frame, the one as many later, and so on, and the last.
EVERY = 20

ENGINES = ("linear", "flow", "stdpose")

_SCENE = SceneSpec(seed=8, kind="person", num_frames=121, width=640, height=360, action="walk")
_SHEET_FRAMES = 12

console = Console(highlight=False)


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what the demo makes.")] = Path("demo-out"),
) -> None:
    """Render a video, label keyframes, propagate, export and check COCO, compare with the truth, draw the result."""
    began = time.monotonic()
    shutil.rmtree(output, ignore_errors=True)
    with _step("render a video of a walking person, with exact truth"):
        video, truth_file = write_sample(_SCENE, output / "sample")
    truth = read_coco(truth_file.read_bytes())
    keyframes = {number: _keyframes(track) for number, track in truth.tracks.items()}
    with _service(output / "data") as client:
        exports = {engine: _loop(client, video, truth.skeleton, keyframes, engine) for engine in ENGINES}
    made: dict[str, CocoPoses] = {}
    for engine, data in exports.items():
        file = output / f"{engine}.json"
        file.write_bytes(data)
        made[engine] = _verified(file, data)
    with _step("draw the result"):
        pictures = draw(video, made[ENGINES[-1]], keyframes, output)
    console.print(_results(truth, made, keyframes))
    for path in (output / f"{ENGINES[-1]}.json", *pictures):
        console.print(f"  {path}")
    console.print(f"done in {time.monotonic() - began:.1f} s")


def draw(video: Path, poses: CocoPoses, keyframes: dict[int, Track], folder: Path) -> tuple[Path, Path]:
    """Draw poses over their video, as a video and as a contact sheet.

    Returns:
        The video and the picture.
    """
    labelled = {number: set(track.frames.tolist()) for number, track in keyframes.items()}
    film, sheet = folder / "overlay.mp4", folder / "contact-sheet.png"
    with Video(video) as reader:
        chosen = set(np.linspace(0, reader.num_frames - 1, _SHEET_FRAMES).round().astype(int).tolist())
        shown = []
        with VideoWriter(film, reader.fps, reader.width, reader.height) as writer:
            for index, frame in enumerate(reader.frames()):
                drawn = overlay(frame, index, poses.tracks, poses.skeleton, keyframes=labelled)
                writer.write(drawn)
                if index in chosen:
                    shown.append(drawn)
    cv2.imwrite(str(sheet), cv2.cvtColor(contact_sheet(shown), cv2.COLOR_RGB2BGR))
    return film, sheet


def _keyframes(track: Track) -> Track:
    last = int(track.frames[-1])
    return track.select(np.flatnonzero((track.frames % EVERY == 0) | (track.frames == last)))


@contextmanager
def _service(data_dir: Path) -> Iterator[Client]:
    """A service on a free port, with a worker, stopped after the block."""
    command = [sys.executable, "-m", "cli.main", "up", "--json", "--port", "0", "--data-dir", str(data_dir)]
    with _step("start the service"), (data_dir.parent / "service.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        greeting = server.stdout.readline()
    try:
        if not greeting:
            raise RuntimeError(f"the service did not start; see {data_dir.parent / 'service.log'}")
        about = json.loads(greeting)
        with Client(about["address"], about["key"]) as client:
            yield client
    finally:
        server.terminate()
        server.wait(timeout=60)
        server.stdout.close()


def _loop(client: Client, video: Path, skeleton: Skeleton, keyframes: dict[int, Track], engine: str) -> bytes:
    """Go once round the loop in a project of its own; gives the export."""
    project = client.post("/projects", {"name": f"demo {engine}", "skeleton": _schema(skeleton)})
    with _step(f"{engine}: upload and ingest"):
        uploaded = client.upload(project["id"], video)
        client.wait(uploaded["ingest_job_id"], _quiet)
    url = f"/videos/{uploaded['id']}"
    with _step(f"{engine}: label {sum(map(len, keyframes.values()))} keyframes"):
        labels = []
        for track in keyframes.values():
            subject = client.post(f"{url}/tracks", {"name": "subject"})
            labels += _labels(subject["id"], track)
        client.put(f"{url}/labels", {"labels": labels})
    with _step(f"{engine}: propagate"):
        job = client.post(f"{url}/propagations", {"engine": engine, "adapt": engine == "stdpose"})
        client.wait(job["id"], _quiet)
    with _step(f"{engine}: export COCO"):
        job = client.wait(client.post(f"/projects/{project['id']}/exports", {"format": "coco"})["id"], _quiet)
        return client.read(f"/exports/{job['result']['export_id']}/content")


def _schema(skeleton: Skeleton) -> dict[str, Any]:
    return {
        "name": skeleton.name,
        "keypoints": skeleton.keypoints,
        "edges": skeleton.edges,
        "swap": skeleton.swap,
        "sigmas": skeleton.sigmas or None,
    }


def _labels(track_id: int, track: Track) -> list[dict[str, Any]]:
    points = np.concatenate([track.xy, track.visibility[..., None]], axis=-1)
    return [
        {"frame_index": int(frame), "track_id": track_id, "keypoints": keypoints.tolist()}
        for frame, keypoints in zip(track.frames, points, strict=True)
        if keypoints[:, 2].any()
    ]


def _verified(file: Path, data: bytes) -> CocoPoses:
    """Read an export back the way others do: pycocotools must load it, our checker must find nothing wrong."""
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(str(file))
    wrong = [finding for finding in check_coco(data) if finding.severity == "error"]
    if wrong:
        raise RuntimeError(f"{file}: {wrong[0].pointer}: {wrong[0].sentence}")
    console.print(f"  ✓ pycocotools loads {file.name}: {len(loaded.imgs)} images, {len(loaded.anns)} annotations")
    return read_coco(data)


def _results(truth: CocoPoses, made: dict[str, CocoPoses], keyframes: dict[int, Track]) -> Table:
    summaries = {engine: evaluate(truth.tracks, poses.tracks, keyframes) for engine, poses in made.items()}
    baseline: Summary = summaries["linear"]
    table = Table("engine", "mean error", "ratio to linear", "PCK@0.05", "PCK@0.1", title="against the truth")
    for engine, summary in summaries.items():
        table.add_row(
            engine,
            f"{summary.mean:.2%} of the box diagonal",
            f"{summary.ratio_to(baseline):.2f}",
            f"{summary.pck[0.05]:.1%}",
            f"{summary.pck[0.1]:.1%}",
        )
    return table


@contextmanager
def _step(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    console.print(f"  ✓ {what} [dim]({time.monotonic() - began:.1f} s)[/dim]")


def _quiet(progress: float, stage: str) -> None:
    """Take no notice."""
