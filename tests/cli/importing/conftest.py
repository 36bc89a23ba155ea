"""A service whose jobs are done, and projects of other tools on rendered videos."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from app.exchange.proof import Proof
from cli.importing.numbering import Placed
from cli.importing.sources import Source
from cli.main import app
from formats.dataset import Dataset, Video
from formats.media import Media
from formats.registry import write
from pose.video import VideoReader
from tests.conftest import Rendered, Service
from worker.loop import work


@pytest.fixture
def working(service: Service) -> Iterator[Service]:
    """A service with a worker that does what is asked."""
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(service.settings, stopping))
    thread.start()
    yield service
    stopping.set()
    thread.join()


@pytest.fixture
def run(working: Service) -> Callable[..., Result]:
    """Runs ``posetween import`` against the service."""

    def invoke(*words: object) -> Result:
        address = str(working.http.base_url).partition("/api/")[0]
        key = working.settings.admin_key_file
        return CliRunner().invoke(app, ["import", *map(str, words), "--server", address, "--key-file", str(key)])

    return invoke


@pytest.fixture
def told(run: Callable[..., Result]) -> Callable[..., dict[str, Any]]:
    """Runs it, which has to succeed, and gives what it says."""

    def invoke(*words: object) -> dict[str, Any]:
        done = run(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.output.splitlines()[-1])  # type: ignore[no-any-return]

    return invoke


def table(scene: Rendered, frames: list[int], name: str = "walk") -> Dataset:
    """The truth about some frames of a rendered video, as people would label it."""
    tracks = [
        (number, track.select(np.flatnonzero(np.isin(track.frames, frames)))) for number, track in scene.tracks.items()
    ]
    video = Video(name=name, width=scene.width, height=scene.height)
    return Dataset.of(
        replace(scene.skeleton, sigmas=()),
        (video,),
        video=np.zeros(sum(len(track) for _, track in tracks)),
        frame=np.concatenate([track.frames for _, track in tracks]),
        track=np.concatenate([np.full(len(track), number) for number, track in tracks]),
        xy=np.concatenate([track.xy for _, track in tracks]),
        visibility=np.concatenate([track.visibility for _, track in tracks]),
    )


def project(folder: Path, scene: Rendered, frames: dict[int, int], name: str = "dlc", *, pictures: bool = True) -> Path:
    """A project of DeepLabCut or Lightning Pose: labels and picture of each frame, by the number it has there."""
    labels = table(scene, sorted(frames.values()))
    called = {shown: said for said, shown in frames.items()}
    labels = labels.with_columns(frame=[called[frame] for frame in labels.frame.tolist()])
    write(labels, name, folder)
    if pictures:
        digits = 8 if name == "lightning-pose" else 4
        place = folder / "labeled-data" / "walk"
        place.mkdir(parents=True, exist_ok=True)
        with VideoReader(scene.path) as video:
            for said, shown in frames.items():
                picture = cv2.cvtColor(video.read(shown), cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(place / f"img{said:0{digits}d}.png"), picture)
    return folder


def placed(
    frames: dict[int, int | None],
    *,
    num_frames: int = 20,
    number: int = 0,
    cropped: bool = False,
    shift: tuple[int, int] = (0, 0),
) -> Placed:
    """A video whose pictures were found on other frames."""
    source = Source(number, "video", Path("left.mp4"), Media(pictures={frame: Path("x.png") for frame in frames}))
    moved = {said: found for said, found in frames.items() if found is not None and found != said}
    return Placed(source, Proof(num_frames, 640, 480, frames, cropped), moved, shift)
