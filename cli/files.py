"""The files that commands read and write: videos, COCO files, what takes the place of a file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.options import UsageError
from pose.decoder import VideoError
from pose.formats.coco import AS_IS, CocoError, CocoPoses, PatternError, Reading, VideoInfo, read_coco
from pose.image_folder import Frames, ImageFolder
from pose.skeleton import Skeleton
from pose.video import VideoReader

_IMAGES_SHOWN = 3  # of those that a line tells the frames of


@contextmanager
def opened(path: Path) -> Iterator[Frames]:
    """A video, or a folder of numbered images.

    Raises:
        UsageError: It is not there or cannot be read.
    """
    if not path.exists():
        raise UsageError(f"{path}: there is no such file")
    try:
        video = ImageFolder.of(path) if path.is_dir() else VideoReader(path)
    except (VideoError, OSError) as error:
        raise UsageError(f"{path}: {sentence(error)}") from error
    with video:
        yield video


def read_poses(path: Path, video: Frames, skeleton: Skeleton | None = None, *, reading: Reading = AS_IS) -> CocoPoses:
    """The poses of a COCO file; what is odd about it is said on standard error.

    Args:
        path: The file.
        video: Whose poses they are.
        skeleton: The keypoints wanted; the file's where None.
        reading: How it is read.

    Raises:
        UsageError: It is not there, cannot be read, or has no labelled point.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    try:
        size = video.width, video.height
        poses = read_coco(path.read_bytes(), num_frames=video.num_frames, size=size, skeleton=skeleton, reading=reading)
    except PatternError as error:
        raise UsageError(f"--frame-pattern: {error}") from error
    except (CocoError, OSError) as error:
        raise UsageError(f"{path}: {_as_options(sentence(error))}") from error
    if not any((track.visibility > 0).any() for track in poses.tracks.values()):
        raise UsageError("; ".join([f"{path}: there is no labelled point on any frame", *poses.warnings]))
    if reading.numbering.source == "file_name":
        shown = ", ".join(f"{name} is frame {frame}" for frame, name in [*poses.file_names.items()][:_IMAGES_SHOWN])
        typer.echo(f"{path}: {len(poses.file_names)} images by file name: {shown}", err=True)
    for warning in poses.warnings:
        typer.echo(f"{path}: {_as_options(warning)}", err=True)
    return poses


def _as_options(text: str) -> str:
    """A reader's advice in the words of the command line."""
    return re.sub(
        r"\b(frame_from|frame_offset|frame_pattern|scale)(?:=(\w+)| (?=is |says ))",
        lambda found: f"--{found[1].replace('_', '-')} {found[2] or ''}",
        text,
    )


def pairs(files: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Videos, each with the COCO file after it.

    Raises:
        UsageError: A file is left over, or a video comes twice.
    """
    if len(files) % 2:
        raise UsageError(f"{files[-1]}: each video is followed by its COCO file, VIDEO LABELS.json VIDEO LABELS.json …")
    videos = [*files[::2]]
    for video in videos:
        if videos.count(video) > 1:
            raise UsageError(f"{video}: this video stands there twice")
    return [*zip(videos, files[1::2], strict=True)]


def about_video(video: Frames, slug: str) -> VideoInfo:
    """The fields of a COCO file about a video."""
    return VideoInfo(
        id=1,
        slug=slug,
        width=video.width,
        height=video.height,
        num_frames=video.num_frames,
        times=video.times,
        damaged=video.damaged,
    )


def check_place(output: Path) -> None:
    """See that a file can be written.

    Raises:
        UsageError: It is a folder, or there is no folder for it.
    """
    if not output.absolute().parent.is_dir() or output.is_dir():
        raise UsageError(f"{output}: this is not a place for a file")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` when the block ends well, and leaves nothing behind otherwise."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.absolute().parent)
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def progress_bar(as_json: bool, unit: str = "poses") -> Progress:
    """A bar on standard error; none where lines for machines are printed."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=as_json,
    )


def sentence(error: Exception) -> str:
    """The fault, in a sentence for people."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
