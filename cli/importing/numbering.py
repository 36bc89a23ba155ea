"""Frames of a data set brought to those of the videos: by pixels, by the place among stills, and from crops."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from app.exchange.proof import Proof, ProofError, prove
from cli.importing import stills
from cli.importing.sources import Source, SourceError
from formats.dataset import Dataset, RowError
from pose.formats.coco_layout import counted

#: Hears which video is looked at.
Say = Callable[[str], None]


@dataclass(frozen=True)
class Placed:
    """How the frames of a video of the data set are those of what is uploaded.

    Attributes:
        source: Where the pixels come from.
        proof: What the pictures say; None where there are none, or nobody asked.
        frames: New numbers of frames, of those that change.
        shift: x and y that are added to labels: the corner of the crop that they were made on.
        gone: Frames that are not among the stills; a machine's poses there have no place.
    """

    source: Source
    proof: Proof | None = None
    frames: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    shift: tuple[int, int] = (0, 0)
    gone: frozenset[int] = frozenset()

    @property
    def report(self) -> dict[str, Any]:
        """For machines."""
        proof = self.proof
        return {
            "shift": [*self.shift],
            "pictures": len(self.source.media.pictures),
            "proved": None if proof is None else sum(one == other for one, other in proof.frames.items()),
            "moved": {} if proof is None else {str(by): count for by, count in proof.moved.items()},
            "unlike": [] if proof is None else proof.unlike,
        }


def place(dataset: Dataset, sources: Sequence[Source], *, proving: bool, say: Say) -> list[Placed]:
    """Find out how the frames of each video are numbered.

    Args:
        dataset: The table.
        sources: Where the pixels of its videos come from.
        proving: Whether pictures are compared with videos.
        say: Told of each video before it is read, which takes its time.

    Raises:
        SourceError: Pictures and video cannot be compared, or stills make no video.
    """
    found = []
    for source in sources:
        name = dataset.videos[source.number].name
        if source.kind == "stills":
            gone = stills.check(dataset, source)
            places = {frame: place for frame, place in stills.places(source).items() if frame != place}
            found.append(Placed(source, frames=places, gone=gone))
        elif source.kind == "video" and source.media.pictures and proving:
            say(f"comparing {counted(len(source.media.pictures), 'picture')} with {source.file}")
            found.append(_proved(name, source))
        else:
            crop = source.media.crop if source.kind == "video" else None
            if crop is not None and (crop[0] or crop[1]):
                sentence = (
                    "was labelled on a part of its frames, and no picture shows whether labels count from its corner"
                )
                raise SourceError(
                    f"video {name!r} {sentence}: leave 'crop' at the whole frame in config.yaml if they do not"
                )
            found.append(Placed(source))
    return found


def _proved(name: str, source: Source) -> Placed:
    assert source.file is not None
    with tempfile.TemporaryDirectory(prefix="posetween-") as folder:
        try:
            proof = prove(source.file, source.media.pictures, Path(folder), crop=source.media.crop)
        except ProofError as error:
            raise SourceError(f"video {name!r}: {error}") from None
    frames = {said: found for said, found in proof.frames.items() if found is not None and found != said}
    crop = source.media.crop
    shift = (crop[0], crop[1]) if proof.cropped and crop is not None else (0, 0)
    return Placed(source, proof, frames, shift)


def refusals(dataset: Dataset, placed: Sequence[Placed], *, apply_offset: bool) -> list[str]:
    """Why the frames cannot be trusted as they are, a sentence for each such video."""
    told = []
    for one in placed:
        name, proof = dataset.videos[one.source.number].name, one.proof
        if proof is None:
            continue
        if proof.unlike:
            frames = ", ".join(map(str, proof.unlike[:10]))
            told.append(
                f"video {name!r}: the pictures of frames {frames} are like no frame near there in {one.source.file}; it"
                " may be another video: name it with --video, or pass over this with --skip-proof"
            )
        elif proof.moved and not apply_offset:
            moved = ", ".join(f"{count} by {by:+d}" for by, count in [*proof.moved.items()][:10])
            told.append(
                f"video {name!r}: {sum(proof.moved.values())} of {len(proof.frames)} pictures are other frames of"
                f" {one.source.file} than they say ({moved}); --apply-offset brings labels to the frames that they show"
            )
    return told


def renumbered(dataset: Dataset, placed: Sequence[Placed]) -> Dataset:
    """The table with frames and places as they are in what is uploaded.

    Raises:
        SourceError: Frames fall together, move out of their video, or are labelled without a picture that tells where
            they went.
    """
    dataset = without_gone(dataset, placed)
    frame, xy, videos = dataset.frame.copy(), dataset.xy.copy(), [*dataset.videos]
    for one in placed:
        number = one.source.number
        rows, video = dataset.rows_of(number), dataset.videos[number]
        xy[rows] += np.array(one.shift, dtype=np.float32)
        to = dict(one.frames)
        labelled = {*dataset.frame[rows].tolist(), *video.empty}
        if one.proof is not None and to:
            _complete(video.name, to, labelled, one.proof)
        frame[rows] = [to.get(old, old) for old in dataset.frame[rows].tolist()]
        after = {old: to.get(old, old) for old in labelled}
        if len({*after.values()}) < len(after):
            raise SourceError(f"video {video.name!r}: pictures of different frames are the same frame by their pixels")
        if after and min(after.values()) < 0:
            old = min(after, key=lambda frame: after[frame])
            sentence = f"frame {old} is labelled and has no picture, and moved as those of others it would be frame"
            raise SourceError(f"video {video.name!r}: {sentence} {after[old]}")
        length = len(one.source.media.pictures) if one.source.kind == "stills" else None
        length = one.proof.num_frames if one.proof is not None else length or video.num_frames
        width, height = (video.width, video.height) if one.proof is None else (one.proof.width, one.proof.height)
        empty = tuple(sorted(after[old] for old in video.empty))
        videos[number] = replace(video, empty=empty, num_frames=length, width=width, height=height)
    # Lengths come last: a row may be beyond them before it is moved.
    loose = tuple(replace(video, num_frames=None) for video in videos)
    try:
        moved = dataset.with_videos(loose).with_columns(frame=frame, xy=xy)
    except RowError as error:
        raise SourceError(f"where labels are moved, {error.sentence}") from None
    for number, video in enumerate(videos):
        last = int(moved.frame[moved.rows_of(number)].max(initial=-1))
        if video.num_frames is not None and last >= video.num_frames:
            sentence = f"frame {last} is labelled, and the video has {counted(video.num_frames, 'frame')}"
            raise SourceError(f"video {video.name!r}: {sentence}")
    return moved.with_videos(
        tuple(
            replace(video, tracks=one.tracks, empty=one.empty) for video, one in zip(videos, moved.videos, strict=True)
        )
    )


def without_gone(dataset: Dataset, placed: Sequence[Placed]) -> Dataset:
    """The table without the poses that have no place in what is uploaded."""
    gone = np.zeros(len(dataset), dtype=bool)
    for one in placed:
        rows = dataset.rows_of(one.source.number)
        gone[rows] = np.isin(dataset.frame[rows], [*one.gone])
    if not gone.any():
        return dataset
    return dataset.with_columns(visibility=np.where(gone[:, None], 0, dataset.visibility))


def _complete(name: str, to: dict[int, int], labelled: set[int], proof: Proof) -> None:
    """Where all pictures moved alike, frames without a picture move with them."""
    loose = sorted(labelled - proof.frames.keys())
    by = {found - said for said, found in proof.frames.items() if found is not None}
    if not loose:
        return
    if len(by) > 1:
        sentence = f"frame {loose[0]} is labelled and has no picture, and those of others moved by different numbers"
        raise SourceError(f"video {name!r}: {sentence}")
    to |= {frame: frame + next(iter(by)) for frame in loose}
