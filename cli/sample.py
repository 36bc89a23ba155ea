"""``posetween sample``: render a video with exact truth to try things on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track as progress

from cli.options import UsageError
from pose.formats.coco import VideoInfo, instances, write_coco
from pose.synthetic import KINDS, Scene, SceneSpec
from pose.video_writer import VideoWriter


def sample(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for video.mp4 and truth.json.")] = Path(
        "sample"
    ),
    kind: Annotated[str, typer.Option(help=f"What moves: {', '.join(KINDS)}.")] = "person",
    seed: Annotated[int, typer.Option(min=0, help="Another seed is another video.")] = 0,
    frames: Annotated[int, typer.Option(min=1, max=100_000, help="How many frames.")] = 120,
    subjects: Annotated[int, typer.Option(min=1, max=20, help="How many subjects.")] = 1,
    width: Annotated[int, typer.Option(min=64, max=3840, help="Pixels.")] = 640,
    height: Annotated[int, typer.Option(min=64, max=2160, help="Pixels.")] = 360,
    every: Annotated[
        int | None, typer.Option(min=1, help="Also write keyframes.json: the truth of every so many frames.")
    ] = None,
) -> None:
    """Render a video of moving figures and write the exact keypoints beside it."""
    if kind not in KINDS:
        raise UsageError(f"--kind is one of {', '.join(KINDS)}")
    spec = SceneSpec(kind=kind, seed=seed, num_frames=frames, subjects=subjects, width=width, height=height)
    written = write_sample(spec, output, every=every)
    typer.echo("\n".join(map(str, written)))


def write_sample(spec: SceneSpec, folder: Path, *, every: int | None = None) -> list[Path]:
    """Render a scene into a folder.

    Args:
        spec: The scene.
        folder: Where to; it is made where it is missing.
        every: Write a third file with the truth of every so many frames, as somebody would label them.

    Returns:
        The video, the COCO file with the truth about each of its frames, and the third file where it was asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene(spec)
    video, truth = folder / "video.mp4", folder / "truth.json"
    with VideoWriter(video, spec.fps, spec.width, spec.height) as writer:
        for frame in progress(scene.frames(), "rendering", total=spec.num_frames, transient=True):
            writer.write(frame)
    about = VideoInfo(
        id=1, slug=folder.name or "sample", width=spec.width, height=spec.height, num_frames=spec.num_frames
    )
    info = {"description": f"rendered {spec.kind}, seed {spec.seed}"}
    with truth.open("wb") as stream:
        write_coco(stream, scene.skeleton, [(about, instances(scene.tracks))], info=info, every_frame=True)
    if every is None:
        return [video, truth]
    keyframes = folder / "keyframes.json"
    labelled = {number: track.select(track.frames % every == 0) for number, track in scene.tracks.items()}
    with keyframes.open("wb") as stream:
        write_coco(stream, scene.skeleton, [(about, instances(labelled))], info=info)
    return [video, truth, keyframes]
