"""A video's labels as the requests that write them: people's words first, then a machine's poses, some at a time."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from formats.coco import write_stream
from formats.dataset import COLUMNS, Dataset

#: Most labels of people in a request, and about how many bytes of JSON; the service takes 20 000 and 64 MiB.
MAX_LABELS = 10_000
MAX_BYTES = 24 * 2**20

_ROW_BYTES, _POINT_BYTES = 400, 48


@dataclass(frozen=True)
class LabelBatch:
    """What one request writes.

    Attributes:
        human: Whether people made it; else a machine did, and it becomes a run.
        poses: How many.
        coco: A COCO file.
        table: What it says.
    """

    human: bool
    poses: int
    coco: bytes
    table: Dataset = field(compare=False, repr=False)


def parts(dataset: Dataset, number: int, *, width: int, height: int, num_frames: int) -> Iterator[LabelBatch]:
    """The requests for a video; the same table gives the same bytes.

    Args:
        dataset: The table.
        number: Of the video.
        width: Of the video as the service has it.
        height: Of the video as the service has it.
        num_frames: Of the video as the service has it.
    """
    video = replace(dataset.videos[number], width=width, height=height, num_frames=num_frames, empty=(), name="video")
    rows = dataset.rows_of(number)
    columns = {name: getattr(dataset, name)[rows] for name in COLUMNS if name not in ("video", "run")}
    machine = (columns["visibility"] > 0) & ~columns["human"]
    for human, gone in ((True, machine), (False, ~machine)):
        some = columns | {"visibility": np.where(gone, 0, columns["visibility"])}
        if not human:
            some["absent"] = np.zeros_like(columns["absent"])
        video_column = np.zeros(rows.stop - rows.start, dtype=np.int64)
        mine = Dataset.of(dataset.skeleton, (video,), video=video_column, **some)
        for start, stop in itertools.pairwise(_cuts(mine, human=human)):
            chosen = {name: values[start:stop] for name, values in _columns(mine).items()}
            piece = Dataset.of(dataset.skeleton, (video,), **chosen)
            stream = io.BytesIO()
            write_stream(piece, stream)
            yield LabelBatch(human, len(piece), stream.getvalue(), piece)


def _columns(dataset: Dataset) -> dict[str, np.ndarray]:
    return {name: getattr(dataset, name) for name in COLUMNS}


def _cuts(dataset: Dataset, *, human: bool) -> list[int]:
    """Where the rows of a video are cut: no frame is in two pieces, unless it alone is too much."""
    most = MAX_BYTES // (_ROW_BYTES + _POINT_BYTES * dataset.skeleton.size) or 1
    if human:
        most = min(most, MAX_LABELS)
    cuts = [0]
    while cuts[-1] < len(dataset):
        end = min(cuts[-1] + most, len(dataset))
        if end < len(dataset):
            first = int(np.searchsorted(dataset.frame, dataset.frame[end]))
            end = first if first > cuts[-1] else end
        cuts.append(end)
    return cuts


def with_empty_frames(dataset: Dataset) -> Dataset:
    """The table in which nobody is on frames that were looked at and show nobody: every track of the video is absent.

    Frames of videos without a track stay as they are: there is nobody to be absent.
    """
    more = {name: [values] for name, values in _columns(dataset).items()}
    size = dataset.skeleton.size
    for number, video in enumerate(dataset.videos):
        tracks = np.unique(dataset.track[dataset.rows_of(number)])
        count = len(tracks) * len(video.empty)
        more["video"].append(np.full(count, number))
        more["frame"].append(np.repeat(np.array(video.empty, dtype=np.int64), len(tracks)))
        more["track"].append(np.tile(tracks, len(video.empty)))
        more["xy"].append(np.zeros((count, size, 2)))
        more["absent"].append(np.ones((count, size), dtype=bool))
        for name in ("visibility", "score", "radius90", "human"):
            more[name].append(np.zeros((count, size)))
        more["run"].append(np.zeros(count))
    return dataset.with_columns(**{name: np.concatenate(values) for name, values in more.items()})
