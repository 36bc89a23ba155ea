"""``posetween estimate``: a video and a checkpoint in, poses on every frame out, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress

from cli.files import about_video, check_place, opened, progress_bar, read_poses, replacing, sentence
from cli.options import (
    Device,
    FrameFrom,
    FrameOffset,
    FramePattern,
    Json,
    Precision,
    Scale,
    Threads,
    computing,
    numbering,
)
from cli.subjects import read_estimator
from pose.decoder import VideoError
from pose.doubt import doubted
from pose.formats.coco import CocoPoses, Instance, Reading, instances, write_coco
from pose.frames import RecentFrames
from pose.image_folder import Frames
from pose.segments import MAX_SEGMENT_FRAMES
from pose.track import Track

if TYPE_CHECKING:
    from models.estimators.checkpoints import Loaded


def estimate(
    video: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    checkpoint: Annotated[Path, typer.Argument(help="The estimator.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="COCO file to write.", show_default=False)],
    tracks: Annotated[
        Path | None,
        typer.Option(help="COCO file with poses to look around; one subject fills the frame where left out."),
    ] = None,
    frame_from: FrameFrom = "field",
    frame_pattern: FramePattern = None,
    frame_offset: FrameOffset = None,
    scale: Scale = "refuse",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Find the poses on every frame of a video."""
    check_place(output)
    computing(device, precision, threads)
    loaded = read_estimator(checkpoint)
    with opened(video) as frames:
        reading = Reading(numbering(frame_from, frame_pattern, frame_offset), scale)
        given = read_poses(tracks, frames, loaded.skeleton, reading=reading) if tracks is not None else None
        about = about_video(frames, video.stem)
        info = {"description": f"poses estimated by Posetween with {loaded.name} {loaded.sha256[:12]}"}
        try:
            with replacing(output) as stream, progress_bar(as_json) as progress:
                poses = _in_order(frames, loaded, given, (device, precision), progress, as_json=as_json)
                write_coco(stream, loaded.skeleton, [(about, poses)], info=info, every_frame=True)
        except (VideoError, OSError) as error:
            typer.echo(f"{output} was not written: {sentence(error)}", err=True)
            raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"event": "done", "output": str(output)}))


def _in_order(
    video: Frames,
    loaded: Loaded,
    given: CocoPoses | None,
    place: tuple[str, str],
    progress: Progress,
    *,
    as_json: bool,
) -> Iterator[Instance]:
    """Instances by frame, then track: window by window, all tracks of one before the next."""
    from models.estimators.predict import estimate as look

    frames = RecentFrames(video)
    task = progress.add_task("estimating", total=video.num_frames)
    around, labels = (None, dict[int, Track]()) if given is None else (given.tracks, given.labels)
    # What is absent goes into the file as it was said; places are the estimator's alone.
    absent = {number: track.without(~track.absent) for number, track in labels.items()}
    for start in range(0, video.num_frames, MAX_SEGMENT_FRAMES):
        stop = min(start + MAX_SEGMENT_FRAMES, video.num_frames)
        found = look(frames, loaded, around, labels=labels, start=start, stop=stop, device=place[0], precision=place[1])
        poses = {number: doubted(track, video.damaged) for number, _, track in found}
        yield from instances({number: track.between(start, stop) for number, track in absent.items()}, poses)
        progress.update(task, completed=stop)
        if as_json:
            typer.echo(json.dumps({"event": "window", "stop": stop, "progress": round(stop / video.num_frames, 4)}))
