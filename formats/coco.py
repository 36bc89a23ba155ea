"""COCO keypoints, with what ``docs/coco.md`` adds to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np

from formats.dataset import Dataset, RowError, Video
from formats.errors import FormatError, refuse
from formats.files import read_file
from formats.layers import merged
from formats.names import folder_names
from pose.formats.coco_absence import absences_of
from pose.formats.coco_identity import Identities
from pose.formats.coco_instances import Instance, VideoInfo
from pose.formats.coco_layout import CocoError, Document, Faults, decode, whole
from pose.formats.coco_rows import Instances, check_scores, read_instances
from pose.formats.coco_skeleton import PoseCategories, posed
from pose.formats.coco_skipped import Skipped
from pose.formats.coco_videos import Sequence, sequences_of, who_is_who
from pose.formats.coco_write import write_coco
from pose.track import Track

LOSES = ("retired", "decimals", "track_names", "lengths", "bare_videos", "video_names")


def read(path: Path) -> Dataset:
    """Read a file of any COCO keypoints.

    A still is a video of one frame. Crowds, boxes, masks, other categories and poses without a known point are passed
    over, see ``docs/coco.md``.

    Args:
        path: The file.

    Raises:
        FormatError: It cannot be read; places are JSON pointers.
    """
    data = read_file(path)
    try:
        return dataset_of(data)
    except CocoError as error:
        raise FormatError(path, error.errors) from None
    except RowError as error:
        raise refuse(path, "", error.sentence) from None


def write(dataset: Dataset, target: Path) -> None:
    """Write a file.

    The size of a video that is not known is taken to be the least one that holds its points.

    Args:
        dataset: Whose skeleton has no retired keypoints.
        target: The file.
    """
    with target.open("wb") as stream:
        write_stream(dataset, stream)


def write_stream(dataset: Dataset, stream: BinaryIO) -> None:
    """Write a file to where bytes go, see ``write``."""
    names = folder_names(video.name for video in dataset.videos)
    write_coco(
        stream,
        dataset.skeleton,
        ((_info(dataset, number, name), _instances(dataset, number)) for number, name in enumerate(names)),
        info={"description": dataset.skeleton.name},
    )


def _info(dataset: Dataset, number: int, name: str) -> VideoInfo:
    length, height, width = dataset.shape_of(number)
    video = dataset.videos[number]
    return VideoInfo(id=number + 1, slug=name, width=width, height=height, num_frames=length, empty=video.empty)


def _instances(dataset: Dataset, video: int) -> Iterator[Instance]:
    rows = dataset.rows_of(video)
    machine = (dataset.visibility[rows] > 0) & ~dataset.human[rows]
    made: np.ndarray = np.any(machine, axis=1)
    placed: np.ndarray = np.any(dataset.human[rows], axis=1)
    gone: np.ndarray = np.any(dataset.absent[rows], axis=1)
    for place, row in enumerate(range(rows.start, rows.stop)):
        absent = tuple(np.flatnonzero(dataset.absent[row]).tolist()) if gone[place] else ()
        frame, track = int(dataset.frame[row]), int(dataset.track[row])
        if not made[place]:
            yield Instance(frame, track, dataset.xy[row], dataset.visibility[row], "human", absent=absent)
            continue
        human = dataset.human[row].tolist() if placed[place] else None
        yield Instance(
            frame_index=frame,
            track_id=track,
            xy=dataset.xy[row],
            visibility=dataset.visibility[row],
            source="pseudo",
            scores=dataset.score[row],
            radius90=dataset.radius90[row],
            run_id=int(dataset.run[row]) or None,
            point_sources=None if human is None else tuple("human" if one else "pseudo" for one in human),
            absent=absent,
        )


class _Made(msgspec.Struct, gc=False):
    run_id: Any = None


@dataclass
class _Columns:
    """Columns of the table as they are put together, a part for each video."""

    parts: list[dict[str, np.ndarray]] = field(default_factory=list)

    def add(self, video: int, tracks: np.ndarray, frames: np.ndarray, found: Instances, run: np.ndarray) -> None:
        keypoints = found.keypoints
        values = {"frame": frames, "track": tracks, "xy": keypoints[..., :2], "visibility": keypoints[..., 2]}
        values |= {"absent": found.absent, "score": found.scores, "radius90": found.radius90}
        human = (keypoints[..., 2] > 0) & ~found.machine
        self.parts.append({"video": np.full(len(frames), video), **values, "human": human, "run": run})

    def add_absent(self, video: int, number: int, track: Track) -> None:
        """Add what images say of a track."""
        blank = np.zeros(track.visibility.shape)
        self.parts.append(
            {
                "video": np.full(len(track), video),
                "frame": track.frames,
                "track": np.full(len(track), number),
                "xy": track.xy,
                **dict.fromkeys(("visibility", "score", "radius90"), blank),
                "absent": track.absent,
                "human": blank.astype(bool),
                "run": np.zeros(len(track), dtype=np.int64),
            }
        )


def dataset_of(data: bytes) -> Dataset:
    """Read the bytes of a file, see ``read``.

    Raises:
        CocoError: They are none.
        RowError: A row is out of its range or there twice.
    """
    document = decode(data)
    categories = posed(document, None, [])
    faults = Faults()
    sequences = sequences_of(data, document.images, faults)
    found = read_instances(document, categories, faults, Skipped())
    check_scores(found, categories, faults)
    faults.check()
    runs = _runs(document, found, faults)

    place = {image: (number, frame) for number, one in enumerate(sequences) for frame, image in one.images.items()}
    where = np.array([place.get(image, (-1, -1)) for image in found.images.tolist()], dtype=np.int64).reshape(-1, 2)
    by_video = np.argsort(where[:, 0], kind="stable")
    bounds = np.searchsorted(where[by_video, 0], np.arange(len(sequences) + 1))
    says_absent = {n for n, image in enumerate(document.images) if image.absent_tracks or image.absent_keypoints}
    columns, videos = _Columns(), []
    for number, sequence in enumerate(sequences):
        rows = by_video[bounds[number] : bounds[number + 1]]
        shown, frames = found.select(rows), where[rows, 1]
        who = who_is_who(shown, frames, categories.names, still=sequence.still, faults=faults)
        first = int(0 in who.tracks)  # some count subjects from 0
        columns.add(number, who.tracks + first, frames, shown, runs[rows])
        images = [image for image in sequence.images.values() if image in says_absent]
        absent = _absences(document, sequence, images, who, shown, frames, categories, faults)
        for track, said in absent.items():
            columns.add_absent(number, track + first, said)
        labelled = {*frames.tolist(), *(frame for said in absent.values() for frame in said.frames.tolist())}
        videos.append(_video(document, sequence, who, first, labelled))
    faults.check()
    return Dataset.of(categories.skeleton, tuple(videos), **merged(columns.parts, categories.skeleton.size))


def _runs(document: Document, found: Instances, faults: Faults) -> np.ndarray:
    """``(N,)`` the run of each instance, 0 for none."""
    runs = np.zeros(len(found), dtype=np.int64)
    decoder = msgspec.json.Decoder(_Made)
    for row in np.flatnonzero(found.machine.any(axis=1)).tolist():
        said = decoder.decode(document.annotations[int(found.positions[row])]).run_id
        number = 0 if said is None else whole(said)
        if number is None or number < 0:
            faults.add(f"/annotations/{found.positions[row]}/run_id", "this is no number of a run")
        else:
            runs[row] = number
    faults.check()
    return runs


def _absences(
    document: Document,
    sequence: Sequence,
    images: list[int],
    who: Identities,
    shown: Instances,
    frames: np.ndarray,
    categories: PoseCategories,
    faults: Faults,
) -> dict[int, Track]:
    """What a video's images say is absent, by track."""
    if not images:
        return {}
    frame_of = {image: frame for frame, image in sequence.images.items()}
    mine = Faults()
    labels: dict[int, Track] = {}
    known = shown.known & ~shown.machine
    for number in np.unique(who.tracks).tolist():
        rows = np.flatnonzero((who.tracks == number) & known.any(axis=1))
        rows = rows[np.unique(frames[rows], return_index=True)[1]]
        points = np.where(known[rows][..., None], shown.keypoints[rows], 0)
        labels[number] = Track.labelled(frames[rows], points)
    numbers = np.array([frame_of[image] for image in images], dtype=np.int64)
    said = absences_of([document.images[image] for image in images], numbers, who, labels, categories, mine)
    for pointer, sentence in mine:
        _, _, place, rest = pointer.split("/", 3)
        faults.add(f"/images/{images[int(place)]}/{rest}", sentence)
    return said


def called(sequence: Sequence) -> str:
    """The name of a video or still of a file."""
    return sequence.name if sequence.listed or not sequence.folder else sequence.folder


def _video(document: Document, sequence: Sequence, who: Identities, first: int, labelled: set[int]) -> Video:
    images = [document.images[image] for image in sequence.images.values()]
    return Video(
        name=called(sequence),
        width=_shared({image.width for image in images}),
        height=_shared({image.height for image in images}),
        num_frames=1 if sequence.still else None,
        tracks={number + first: name for number, name in who.names.items()},
        empty=tuple(sorted(sequence.images.keys() - labelled)),
    )


def _shared(values: set[Any]) -> int | None:
    value = values.pop() if len(values) == 1 else None
    return int(value) if value is not None and value == int(value) else None
