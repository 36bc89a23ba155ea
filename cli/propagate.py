"""``posetween propagate``: labels of a few frames in, poses on every frame out, without a server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from rich.progress import Progress, TaskID

from cli.files import about_video, check_place, opened, progress_bar, read_poses, replacing, sentence
from cli.options import (
    Device,
    FrameFrom,
    FrameOffset,
    FramePattern,
    Json,
    Precision,
    Pseudo,
    Scale,
    Threads,
    UsageError,
    computing,
    numbering,
)
from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.propagate import plan_tracks
from models.propagate import propagate as run
from models.registry import PropagationError, adaptable, resolve
from pose.decoder import VideoError
from pose.doubt import doubted
from pose.formats.coco import CocoPoses, Instance, Reading, instances, write_coco
from pose.frames import RecentFrames, no_step
from pose.image_folder import Frames
from pose.skeleton import Skeleton
from pose.track import Track, join

if TYPE_CHECKING:
    from models.adaptation.adaptation import Report

_PEOPLE = "people"  # a detector that comes with the package
_TOLD_SECONDS = 0.5  # between two signs of progress


def propagate(
    video: Annotated[Path, typer.Argument(help="The video.", show_default=False)],
    keyframes: Annotated[Path, typer.Argument(help="COCO file with the labelled frames.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="COCO file to write.", show_default=False)],
    engine: Annotated[str, typer.Option(help="What propagates: auto, stdpose, flow or linear.")] = "auto",
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="Fit stdpose to this video first: better, up to a minute slower. Where neither is said, poses without "
            "fitting are written first, and replaced.",
        ),
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Other weights for stdpose.", show_default=False)] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|people",
            help="What helps stdpose by what it sees: the checkpoint of an estimator, see posetween train, or "
            "'people', a network that finds the joints of people (a file of that name is ./people).",
            show_default=False,
        ),
    ] = None,
    frame_from: FrameFrom = "field",
    frame_pattern: FramePattern = None,
    frame_offset: FrameOffset = None,
    scale: Scale = "refuse",
    pseudo: Pseudo = "skip",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Fill in the poses of every frame from those of a few keyframes, which come back unchanged."""
    check_place(output)
    computing(device, precision, threads)
    try:
        named = "stdpose" if engine == "auto" and detector is not None else engine
        chosen = resolve(named, checkpoint, adapt=adapt is not False, device=device, precision=precision)
    except PropagationError as error:
        raise UsageError(str(error)) from error
    if detector is not None and not adaptable(chosen):
        raise UsageError(f"--detector: the engine {chosen.name} takes none")
    if adapt and not adaptable(chosen):
        raise UsageError(f"--adapt: the engine {chosen.name} cannot be fitted to a video")
    cuts = Cuts()
    with opened(video) as frames:
        reading = Reading(numbering(frame_from, frame_pattern, frame_offset), scale, pseudo)
        poses = read_poses(keyframes, frames, reading=reading)
        if detector is not None:
            chosen = _helped(chosen, detector, poses.skeleton)
        try:
            if adapt is None and adaptable(chosen):
                with replacing(output) as stream:
                    _write(stream, frames, video.stem, poses, chosen, cuts, as_json=as_json)
                _tell_first_stage(output, as_json=as_json)
            if adapt is not False and adaptable(chosen):
                chosen = _adapted(chosen, frames, poses.labels, cuts, as_json=as_json)
            with replacing(output) as stream:
                _write(stream, frames, video.stem, poses, chosen, cuts, as_json=as_json)
        except (VideoError, OSError) as error:
            typer.echo(f"{output} was not written: {sentence(error)}", err=True)
            raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"event": "done", "output": str(output), "cuts": cuts.frames}))
    elif cuts.frames:
        places = ", ".join(map(str, cuts.frames))
        typer.echo(f"cut at frame{'s' * (len(cuts.frames) > 1)} {places}: poses are not carried across", err=True)


def _helped(engine: Engine, detector: str, skeleton: Skeleton) -> Engine:
    from models.errors import CheckpointError
    from models.estimators.checkpoints import load
    from models.estimators.detector import with_estimator  # loads PyTorch, as the engine did
    from models.people.detector import with_people

    assert adaptable(engine)
    try:
        if detector == _PEOPLE:
            return with_people(engine, skeleton.keypoints)
        return with_estimator(engine, load(Path(detector)), skeleton.keypoints)
    except CheckpointError as error:
        raise UsageError(f"--detector: {error}") from error


def _adapted(engine: Engine, video: Frames, keyframes: dict[int, Track], cuts: Cuts, *, as_json: bool) -> Engine:
    from models.adaptation.adaptation import Adaptation  # loads PyTorch, which other engines do without

    assert adaptable(engine)
    engine = copy(engine)
    fitting = Adaptation(engine, RecentFrames(video), keyframes, cuts=cuts)
    thread, told = threading.get_ident(), 0.0

    def tell() -> None:
        """Say now and then how far it is; the engine calls this from several threads, many times a second."""
        nonlocal told
        if threading.get_ident() == thread and time.monotonic() - told >= _TOLD_SECONDS:
            told = time.monotonic()
            _tell(progress, task, fitting.report(), as_json=as_json)

    engine.step = tell
    with progress_bar(as_json, "%") as progress:
        task = progress.add_task(fitting.report().stage, total=100)
        for _ in fitting:
            tell()
        _tell(progress, task, fitting.report(), as_json=as_json)
    engine.step = no_step
    fit = fitting.pedigree
    if as_json:
        typer.echo(json.dumps({"event": "adapted", **fit}))
    elif fit["short_of_time"]:
        typer.echo(f"there was time for {fit['steps']} of {fit['planned']} steps of fitting", err=True)
    return fitting.engine


def _tell_first_stage(output: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"event": "first_stage", "output": str(output)}))
    else:
        typer.echo(f"{output} has poses by stdpose as it is; it is fitted to the video now, for better ones", err=True)


def _tell(progress: Progress, task: TaskID, at: Report, *, as_json: bool) -> None:
    progress.update(task, completed=round(100 * at.progress, 1), description=at.stage)
    if as_json:
        left = None if at.remaining is None else round(at.remaining, 1)
        line = {"event": "adapting", "stage": at.stage, "progress": round(at.progress, 4), "remaining_seconds": left}
        typer.echo(json.dumps(line))


def _write(
    stream: BinaryIO,
    video: Frames,
    slug: str,
    poses: CocoPoses,
    engine: Engine,
    cuts: Cuts,
    *,
    as_json: bool,
) -> None:
    about = about_video(video, slug)
    with progress_bar(as_json) as progress:
        filled = _in_order(video, poses.labels, engine, cuts, progress, as_json=as_json)
        info = {"description": f"poses propagated by Posetween from keyframes, engine {engine.name} {engine.version}"}
        write_coco(stream, poses.skeleton, [(about, filled)], info=info, every_frame=True)


def _in_order(
    video: Frames,
    keyframes: dict[int, Track],
    engine: Engine,
    cuts: Cuts,
    progress: Progress,
    *,
    as_json: bool,
) -> Iterator[Instance]:
    """Instances by frame, then track. Segments come by their first frame: what lies before it is complete."""
    segments = plan_tracks(keyframes, 0, video.num_frames)
    total = sum(len(segment) for _, segment in segments)
    task = progress.add_task("propagating", total=total)
    waiting: dict[int, list[Track]] = {track_id: [] for track_id in keyframes}
    written = done = 0
    for track_id, segment, poses in run(video, keyframes, engine=engine, segments=segments, cuts=cuts):
        if segment.start > written:
            yield from _take(waiting, keyframes, written, segment.start)
            written = segment.start
        waiting[track_id].append(doubted(poses, video.damaged))
        done += len(segment)
        progress.update(task, completed=done)
        if as_json:
            line = {"event": "segment", "track_id": track_id, "start": segment.start, "stop": segment.stop}
            typer.echo(json.dumps({**line, "progress": round(done / total, 4)}))
    yield from _take(waiting, keyframes, written, video.num_frames)


def _take(waiting: dict[int, list[Track]], keyframes: dict[int, Track], start: int, stop: int) -> Iterator[Instance]:
    labels = {track_id: track.between(start, stop) for track_id, track in keyframes.items()}
    pseudo = {}
    for track_id, parts in waiting.items():
        poses = join(parts)
        pseudo[track_id], waiting[track_id] = poses.between(start, stop), [poses.between(stop, 2**62)]
    return instances(labels, pseudo)
