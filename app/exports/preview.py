"""A preview of an export: the very export, written to nowhere; of much, some frames of it, as a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.exports.schemas import ExportPreview
from app.exports.selection import ANNOTATIONS, Selection, image_name
from app.runs.basis import present
from app.storage import Storage
from app.tables import Export, TrackRow, Video
from app.videos.frame_maker import View

#: Poses that are counted one by one: half a second's work.
MOST = 20_000

# Of more, so many pieces, spread evenly over the frames of all videos.
_PIECES = 64
# Frames that are made into images to tell how large they are.
_IMAGES = 4
# Of a ZIP: its end, and for each file two headers, that have its name.
_END, _HEADERS = 22, 30 + 46


@dataclass(frozen=True)
class PreviewImage:
    """A frame that would be among an export's images, and what it would be called there."""

    view: View
    frame: int
    name: str


def most_poses(session: Session, videos: Sequence[Video]) -> tuple[int, int]:
    """The number of poses that videos can have at most, and of those on a frame."""
    query = (
        select(TrackRow.video_id, func.count())
        .where(TrackRow.video_id.in_([video.id for video in videos]))
        .group_by(TrackRow.video_id)
    )
    tracks: dict[int, int] = {number: count for number, count in session.execute(query)}  # noqa: C416
    return sum(tracks.get(video.id, 0) * (video.num_frames or 0) for video in videos), max(tracks.values(), default=0)


def preview(
    database: Database, storage: Storage, export: Export, poses: int, tracks: int
) -> tuple[ExportPreview, list[PreviewImage]]:
    """Count what an export would hold.

    Args:
        database: Where labels are.
        storage: Where segments are.
        export: What would be written; no row of the database.
        poses: How many poses its videos can have at most.
        tracks: How many of them a frame can have.

    Returns:
        The counts, with the size of the annotations alone, and some of the images that would lie beside them.
    """
    exact = poses <= MOST
    source = Selection(
        database,
        storage,
        export,
        lambda done, total: None,
        basis_of=lambda session, video, snapshot: present(session, storage, video),
    )
    if not exact:
        pieces = _pieces([video for video, _ in source.parts], length=max(1, MOST // _PIECES // tracks))
        source.windows = lambda video: iter(pieces.get(video.id, ()))
    stream = _Length()
    written = source.write(cast("BinaryIO", stream))
    scale = 1.0 if exact else source.total / max(1, source.done)

    def all_of(count: int) -> int:
        return round(count * scale)

    counted = ExportPreview(
        exact=exact,
        videos=written.videos,
        images=min(all_of(written.images), source.total),
        annotations=all_of(written.annotations),
        categories=1,
        left_out=all_of(written.left_out),
        stale_left_out=all_of(source.stale),
        rejected_left_out=all_of(source.rejected),
        size=all_of(stream.bytes),
        warnings=source.warnings(),
    )
    return counted, _some_images(source) if source.spec.images else []


def with_images(counted: ExportPreview, images: Sequence[PreviewImage], sizes: Sequence[int]) -> ExportPreview:
    """The same with the size of a ZIP that has the images too.

    Args:
        counted: Counts, and the size of the annotations.
        images: Some of the images.
        sizes: Their bytes.
    """
    some = [size + _entry(image.name) for image, size in zip(images, sizes, strict=True)]
    size = counted.size + _entry(ANNOTATIONS) + counted.images * float(np.mean(some or [0])) + _END
    return counted.model_copy(update={"size": round(size)})


def _entry(name: str) -> int:
    """The bytes that a ZIP takes for a file beside its content."""
    return _HEADERS + 2 * len(name)


def _pieces(videos: Sequence[Video], length: int) -> Mapping[int, list[tuple[int, int]]]:
    """Frames of videos to look at: pieces of ``length``, evenly spread over all of them."""
    counts = np.array([video.num_frames or 0 for video in videos])
    ends = np.cumsum(counts)
    found: dict[int, list[tuple[int, int]]] = {}
    apart = max(length, int(ends[-1]) // _PIECES)
    # From the middle of each stretch: the first frames of a video are not like the others.
    for place in range((apart - length) // 2, int(ends[-1]), apart):
        row = int(np.searchsorted(ends, place, side="right"))
        start = place - int(ends[row] - counts[row])
        found.setdefault(videos[row].id, []).append((start, min(start + length, int(counts[row]))))
    return found


def _some_images(source: Selection) -> list[PreviewImage]:
    there = [(video, frame) for video, frames in source.frames for frame in frames]
    chosen = there[:: max(1, -(-len(there) // _IMAGES))]
    return [PreviewImage(_view(video), frame, image_name(video, frame)) for video, frame in chosen]


def _view(video: Video) -> View:
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    return View(video.proxy_sha256, video.proxy_table_sha256, "jpeg", None)


class _Length:
    """A file that is only measured."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self.bytes += len(data)
        return len(data)
