"""``posetween demo``: the whole loop on a rendered video, through a service of its own."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from pycocotools.coco import COCO
from rich.console import Console
from rich.table import Table

from cli.demo_steps import Show, Step, Steps
from cli.sample import write_sample
from pose.drawing import contact_sheet, overlay
from pose.formats.coco import CocoPoses, check_coco, read_coco
from pose.metrics import Summary, evaluate
from pose.skeleton import Skeleton
from pose.synthetic import SceneSpec
from pose.track import Track
from pose.video import VideoReader
from pose.video_writer import VideoWriter
from posetween import ApiError, Client, JobError

#: Label this frame, the one as many later, and so on, and the last.
EVERY = 20

ENGINES = ("linear", "flow", "stdpose")

#: What they take was measured on two quiet cores of a processor without bf16.
STEPS = (
    Step("render a video of a walking person, with exact truth", 3),
    Step("start the service", 3),
    Step("upload the video and ingest it", 4),
    Step(f"label every {EVERY}th frame, as an annotator would", 1),
    Step("fill in the other frames by linear interpolation, and export COCO", 2),
    Step("fill them in by optical flow, and export COCO", 4),
    Step("fit stdpose to the video, fill them in with it, and export COCO", 70),
    Step("draw the result", 4),
)

_SCENE = SceneSpec(seed=8, kind="person", num_frames=121, width=640, height=360, action="walk")
_SHEET_FRAMES = 12

console = Console(highlight=False)


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for what the demo makes.")] = Path("demo-out"),
    stay: Annotated[
        bool, typer.Option("--open", help="Leave the service up, to look at the poses on the page.")
    ] = False,
) -> None:
    """Render a video, label keyframes, propagate, export and check COCO, compare with the truth, draw the result."""
    began = time.monotonic()
    shutil.rmtree(output, ignore_errors=True)
    console.print(
        "The demo labels a few frames of a rendered video and has the other ones filled in, by a service of its own."
    )
    try:
        with _demo(output, Steps(console, STEPS)) as up:
            console.print(f"done in {time.monotonic() - began:.0f} s.")
            if stay:
                console.print(f"Look at the poses: {up.shown()}", soft_wrap=True)
                console.print("The service is up until you press Ctrl+C.")
                with contextlib.suppress(KeyboardInterrupt):
                    up.process.wait()
    except (ApiError, JobError, RuntimeError) as error:
        typer.echo(f"the demo cannot go on: {error}\nthe service's log is {output / 'service.log'}", err=True)
        raise typer.Exit(1) from error
    if not stay:
        console.print(
            "To look at the poses on the page: make demo OPEN=1, or without computing them again\n"
            f"  posetween up --data-dir {output / 'data'} --open\n"
            "To label videos of your own: make up",
            soft_wrap=True,
        )


@dataclass(frozen=True)
class _Up:
    """A service that is up.

    Attributes:
        client: Asks it.
        about: What it said of itself.
        process: Ends when the service does.
    """

    client: Client
    about: Mapping[str, str]
    process: subprocess.Popen[str]

    def shown(self) -> str:
        """Address of the page: one that signs in, once, where it is read on a terminal and kept nowhere."""
        if console.is_terminal:
            return self.about["page"]
        return f"{self.about['address']} (the key is in {self.about['key_file']})"


@contextmanager
def _demo(output: Path, steps: Steps) -> Iterator[_Up]:
    """All steps, told of as they go on; the service is up, with its project, within the block."""
    with steps.next():
        video, truth_file = write_sample(_SCENE, output / "sample")
    truth = read_coco(truth_file.read_bytes())
    keyframes = {number: _keyframes(track) for number, track in truth.tracks.items()}
    made: dict[str, CocoPoses] = {}
    with _service(output / "data", steps) as up:
        project, url = _labelled(up.client, steps, video, truth.skeleton, keyframes)
        for engine in ENGINES:
            file = output / f"{engine}.json"
            with steps.next() as show:
                file.write_bytes(_propagated(up.client, show, project, url, engine))
            made[engine] = _verified(file)
        with steps.next():
            film, sheet = draw(video, made[ENGINES[-1]], keyframes, output)
        console.print(_results(truth, made, keyframes))
        labelled = sum(map(len, keyframes.values()))
        filled = sum(map(len, truth.tracks.values())) - labelled
        console.print(f"From {labelled} labelled frames {filled} were filled in. What was made:")
        for path, what in (
            (video, "the video, rendered, so that the truth is known"),
            (
                output / f"{ENGINES[-1]}.json",
                f"all poses as COCO keypoints, those of {ENGINES[-1]} between the labelled ones",
            ),
            (film, "the video with the poses drawn on it"),
            (sheet, f"{_SHEET_FRAMES} frames of it"),
        ):
            console.print(f"  {path}  [dim]{what}[/dim]", soft_wrap=True)
        yield up


def draw(video: Path, poses: CocoPoses, keyframes: dict[int, Track], folder: Path) -> tuple[Path, Path]:
    """Draw poses over their video, as a video and as a contact sheet.

    Returns:
        The video and the picture.
    """
    labelled = {number: set(track.frames.tolist()) for number, track in keyframes.items()}
    film, sheet = folder / "overlay.mp4", folder / "contact-sheet.png"
    with VideoReader(video) as reader:
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
def _service(data_dir: Path, steps: Steps) -> Iterator[_Up]:
    """A service on a free port, with its workers, stopped after the block."""
    command = [sys.executable, "-m", "cli.main", "up", "--json", "--port", "0", "--data-dir", str(data_dir)]
    with steps.next(), (data_dir.parent / "service.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        greeting = server.stdout.readline()
    try:
        if not greeting:
            raise RuntimeError("the service did not start")
        about = json.loads(greeting)
        with Client(about["address"], Path(about["key_file"]).read_text().strip()) as client:
            yield _Up(client, about, server)
    finally:
        server.terminate()
        server.wait(timeout=60)
        server.stdout.close()


def _labelled(
    client: Client, steps: Steps, video: Path, skeleton: Skeleton, keyframes: dict[int, Track]
) -> tuple[int, str]:
    """Upload a video to a project of its own and label its keyframes.

    Returns:
        The project and the video's path in the API.
    """
    with steps.next() as show:
        project = client.post("/projects", {"name": "demo", "skeleton": _schema(skeleton)})
        uploaded = client.upload(project["id"], video)
        assert uploaded["ingest_job_id"] is not None
        client.wait(uploaded["ingest_job_id"], show)
    url = f"/videos/{uploaded['id']}"
    with steps.next():
        labels = []
        for track in keyframes.values():
            subject = client.post(f"{url}/tracks", {"name": "subject"})
            labels += _labels(subject["id"], track)
        client.put(f"{url}/labels", {"labels": labels})
    return int(project["id"]), url


def _propagated(client: Client, show: Show, project: int, url: str, engine: str) -> bytes:
    """Fill in the other frames with an engine; gives the export, in which the newest poses stand."""
    job = client.post(f"{url}/propagations", {"engine": engine, "adapt": engine == "stdpose"})
    client.wait(job["id"], show)
    export = client.post(f"/projects/{project}/exports", {"format": "coco"})
    result = client.wait(export["id"])["result"] or {}
    return client.read(f"/exports/{result['export_id']}/content")


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


def _verified(file: Path) -> CocoPoses:
    """Read an export back the way others do: pycocotools must load it, our checker must find nothing wrong."""
    with contextlib.redirect_stdout(io.StringIO()):
        loaded = COCO(str(file))
    data = file.read_bytes()
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
