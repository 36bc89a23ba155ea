"""The poses of an export as the table that formats of other tools are written from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

import numpy as np
from sqlalchemy import select

from app.exports.selection import Selection
from app.tables import TrackRow
from formats.dataset import Dataset, Video, stacked
from pose.formats.coco import Instance

#: Points of a table, unknown ones among them: it is held in memory, about 25 bytes a point.
MAX_POINTS = 40_000_000

_AT_ONCE = 4096  # poses that are put together at a time


class TableTooLarge(Exception):
    """There is more than a table holds; the text says what to do."""


def table(source: Selection) -> tuple[Dataset, int]:
    """Read all poses of a selection; gives them, and how many were left out since no point of theirs is known.

    Raises:
        TooLarge: They are too many for a format that is written as a whole.
    """
    size = source.skeleton.size
    parts: list[dict[str, np.ndarray]] = []
    videos, count = [], 0
    for number, part in enumerate(source.parts):
        about, instances = source.opened(part)
        for piece in _pieces(instances, number, size):
            count += len(piece["frame"])
            if count * size > MAX_POINTS:
                sentence = f"more than {MAX_POINTS // size} poses are too many for one file of this format"
                raise TableTooLarge(
                    f"{sentence}: export fewer videos at a time, or COCO, which is written pose by pose"
                )
            parts.append(piece)
        name = PurePath(part[0].filename).stem.strip() or about.slug
        videos.append(
            Video(
                name=name,
                width=about.width,
                height=about.height,
                num_frames=about.num_frames,
                tracks=_names(source, part[0].id),
            )
        )
    dataset = Dataset.of(source.skeleton, tuple(videos), **stacked(parts, size))
    return dataset, count - len(dataset)


def _names(source: Selection, video_id: int) -> dict[int, str]:
    """Names of tracks that say more than their numbers."""
    with source.database.session(readonly=True) as session:
        query = select(TrackRow.number, TrackRow.name).where(TrackRow.video_id == video_id)
        named = [(int(number), str(name)) for number, name in session.execute(query.order_by(TrackRow.number))]
    return {number: name for number, name in named if name != f"track {number}"}


def _pieces(instances: Iterator[Instance], video: int, size: int) -> Iterator[dict[str, np.ndarray]]:
    waiting: list[Instance] = []
    for instance in instances:
        waiting.append(instance)
        if len(waiting) == _AT_ONCE:
            yield _columns(waiting, video, size)
            waiting = []
    if waiting:
        yield _columns(waiting, video, size)


def _columns(instances: list[Instance], video: int, size: int) -> dict[str, np.ndarray]:
    nothing = np.zeros(size, dtype=np.float32)
    absent = np.zeros((len(instances), size), dtype=bool)
    human = np.zeros((len(instances), size), dtype=bool)
    for row, one in enumerate(instances):
        absent[row, list(one.absent)] = True
        if one.point_sources is not None:
            human[row] = [source == "human" for source in one.point_sources]
        else:
            human[row] = one.source == "human"
    return {
        "video": np.full(len(instances), video),
        "frame": np.array([one.frame_index for one in instances]),
        "track": np.array([one.track_id for one in instances]),
        "xy": np.stack([one.xy for one in instances]).astype(np.float32),
        "visibility": np.stack([one.visibility for one in instances]).astype(np.uint8),
        "absent": absent,
        "score": np.stack([nothing if one.scores is None else one.scores for one in instances]).astype(np.float32),
        "radius90": np.stack([nothing if one.radius90 is None else one.radius90 for one in instances]).astype(
            np.float32
        ),
        "human": human,
        "run": np.array([one.run_id or 0 for one in instances]),
    }
