"""Labelled pictures without their video: they become a video of stills, in the order of their frames."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cli.importing.sources import Source, SourceError
from formats.dataset import Dataset, Video
from formats.image_size import image_size
from formats.media import Media

#: The earliest moment that a ZIP can name: the same pictures shall be the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def gathered(dataset: Dataset, media: Sequence[Media], name: str) -> tuple[Dataset, list[Media]]:
    """The same with single stills of one size put together as one video.

    Args:
        dataset: Videos of one frame in it, as COCO has them, are stills.
        media: What is said of each video.
        name: What the video of the stills is called.
    """
    alone = [
        number
        for number, (video, said) in enumerate(zip(dataset.videos, media, strict=True))
        if video.num_frames == 1 and [*said.pictures] == [0] and not said.file
    ]
    if len(alone) < 2:
        return dataset, [*media]
    sizes: dict[tuple[int, int] | None, list[int]] = {}
    for number in alone:
        video = dataset.videos[number]
        size = (video.width, video.height) if video.width and video.height else image_size(media[number].pictures[0])
        sizes.setdefault(size, []).append(number)
    kept = [number for number in range(len(dataset.videos)) if number not in {*alone}]
    video_of, frame_of = np.zeros((2, len(dataset.videos)), dtype=np.int64)
    video_of[kept] = range(len(kept))
    videos, told = [dataset.videos[number] for number in kept], [media[number] for number in kept]
    for size, members in sizes.items():
        video_of[members], frame_of[members] = len(videos), range(len(members))
        empty = tuple(frame for frame, number in enumerate(members) if dataset.videos[number].empty)
        called = name if len(sizes) == 1 or size is None else f"{name} {size[0]}x{size[1]}"
        width, height = size or (None, None)
        videos.append(Video(name=called, width=width, height=height, num_frames=len(members), empty=empty))
        told.append(Media(pictures={frame: media[number].pictures[0] for frame, number in enumerate(members)}))
    old = dataset.video
    columns = {"video": video_of[old], "frame": np.where(np.isin(old, alone), frame_of[old], dataset.frame)}
    # Whole at once: a table must not say in between that a frame is not in its video.
    return replace(dataset, videos=tuple(videos)).with_columns(**columns), told


def places(source: Source) -> dict[int, int]:
    """By frame, its place among the stills."""
    return {frame: place for place, frame in enumerate(sorted(source.media.pictures))}


def check(dataset: Dataset, source: Source) -> frozenset[int]:
    """See that stills make a video; gives the frames without a picture, on which a machine alone saw somebody.

    Raises:
        SourceError: A frame that people labelled has no picture, or pictures are of several sizes.
    """
    video, rows = dataset.videos[source.number], dataset.rows_of(source.number)
    said = (dataset.human[rows] | dataset.absent[rows]).any(axis=1)
    lacking = sorted({*dataset.frame[rows][said].tolist(), *video.empty} - source.media.pictures.keys())
    if lacking:
        told = ", ".join(map(str, lacking[:10]))
        sentence = f"its file was not found, and these labelled frames have no picture: {told}"
        raise SourceError(f"video {video.name!r}: {sentence}; say where videos are with --videos FOLDER")
    sizes: dict[tuple[int, int], Path] = {}
    for file in source.media.pictures.values():
        size = image_size(file)
        if size is not None:
            sizes.setdefault(size, file)
    if len(sizes) > 1:
        (one, a), (other, b) = [*sizes.items()][:2]
        sides = f"{a} has {one[0]} x {one[1]} pixels, {b} {other[0]} x {other[1]}"
        raise SourceError(f"video {video.name!r}: its pictures are of several sizes ({sides}), and a video has one")
    return frozenset({*dataset.frame[rows].tolist()} - source.media.pictures.keys())


def write_archive(source: Source, target: Path) -> None:
    """Write the pictures as a ZIP that the service takes for a video of stills.

    A picture is called by its frame and then its place, the number that counts.

    Raises:
        OSError: A picture cannot be read, or the file not be written.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for frame, place in places(source).items():
            file = source.media.pictures[frame]
            entry = zipfile.ZipInfo(f"frame{frame:08d}-{place:08d}{file.suffix.lower()}", _NO_TIME)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
