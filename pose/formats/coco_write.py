"""Writing COCO keypoint files of any length at flat memory, the same bytes for the same poses."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, get_args

import msgspec
import numpy as np

from pose import boxes
from pose.damage import inside
from pose.formats.coco_absence import KEYPOINTS, TRACKS
from pose.formats.coco_instances import Instance, Source, VideoInfo
from pose.formats.coco_layout import MAX_COORDINATE
from pose.formats.coco_skeleton import write_skeleton
from pose.skeleton import Skeleton

PADDING = 0.1
MIN_PADDING = 8.0
#: Area of an object as a share of its box. COCO's area is that of the object's outline, which is smaller than its box;
#: 0.53 is what mmpose assumes where a file gives no area (``CocoDataset``).
AREA_SHARE = 0.53

#: What ``info`` says about the figures that follow from the keypoints.
RULES = {
    "bbox_rule": f"box of the points with v > 0, each side padded by {PADDING:.0%} of the longer one, "
    f"at least {MIN_PADDING:g} px, clipped to the image",
    "area_rule": f"{AREA_SHARE} * width * height of bbox, for every annotation",
    "coordinates": "pixels of the displayed frame, pixel centres at integers; frame_index from 0, in order of display",
}

_BATCH = 1024
_SECOND_DECIMALS = 6
_SOURCES = frozenset(get_args(Source))


@dataclass(frozen=True)
class Written:
    """The contents of a written file; ``left_out`` counts the instances without a known point."""

    videos: int
    images: int
    annotations: int
    left_out: int


class _Absent:
    """The statements of images about subjects without a known point.

    Args:
        size: Keypoints of the skeleton.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._frames: dict[int, list[tuple[int, tuple[int, ...]]]] = {}

    def add(self, instance: Instance) -> None:
        """Note what is absent of a subject on a frame."""
        self._frames.setdefault(instance.frame_index, []).append((instance.track_id, instance.absent))

    def fields(self, frame: int) -> str:
        """The fields of a frame's image, with the comma before each."""
        said = self._frames.get(frame, ())
        tracks = [track for track, points in said if len(points) == self._size]
        some = [
            {"track_id": track, "category_id": 1, "absent": points}
            for track, points in said
            if len(points) < self._size
        ]
        named = {name: values for name, values in ((TRACKS, tracks), (KEYPOINTS, some)) if values}
        return f",{_json(named).decode()[1:-1]}" if named else ""


class _Annotation(msgspec.Struct, omit_defaults=True, gc=False):
    id: int
    image_id: int
    category_id: int
    track_id: int
    keypoints: list[float]
    num_keypoints: int
    bbox: list[float]
    area: float
    iscrowd: int
    score: float
    source: str
    keypoint_scores: list[float] | None = None
    keypoint_radius90: list[float] | None = None
    keypoint_radius90_states: list[str | None] | None = None
    keypoint_sources: list[str | None] | None = None
    run_id: int | None = None
    absent: list[int] | None = None
    stale_keypoints: list[int] | None = None


def write_coco(
    stream: BinaryIO,
    skeleton: Skeleton,
    videos: Iterable[tuple[VideoInfo, Iterable[Instance]]],
    *,
    info: Mapping[str, Any],
    every_frame: bool = False,
    supercategory: str = "",
) -> Written:
    """Write the poses of videos as one COCO keypoint file.

    Annotations are written as they come, images after them, so memory grows by eight bytes a frame. Images and
    annotations are numbered from 1 without gaps, in the order given. Coordinates and radii have two decimals, scores
    four; an annotation's ``score`` is the mean over its known points. The file holds no time of day and depends on the
    arguments only. It is ASCII, which every reader takes for its own encoding.

    Args:
        stream: Where the file goes; the caller discards it when this raises.
        skeleton: The keypoints, category 1.
        videos: Each video with its instances, ascending by frame, then track. Instances without a known point are
            left out; what is absent of them its frame says (``pose.formats.coco_absence``), and is an image.
        info: The file's ``info``, to which ``RULES`` is added.
        every_frame: Also list the frames without instances; otherwise only frames with one, and ``VideoInfo.empty``,
            are images.
        supercategory: The category's; the skeleton's name where empty.

    Raises:
        ValueError: Instances out of order or of another skeleton, a frame outside the video, a number that is not
            finite or not in its range, two videos with the same id or slug.
    """
    stream.write(b'{"info":' + _json({**info, **RULES}))
    stream.write(b',\n"categories":[' + _json(write_skeleton(skeleton, supercategory)))
    stream.write(b'],\n"annotations":[\n')
    encoder = msgspec.json.Encoder()
    listed: list[tuple[VideoInfo, array[int] | range, _Absent]] = []
    images = annotations = left_out = 0
    for video, poses in videos:
        if any(video.id == other.id or video.slug == other.slug for other, *_ in listed):
            raise ValueError(f"video {video.id} ({video.slug!r}) shares its id or slug with another")
        frames, absent = array("q"), _Absent(skeleton.size)
        empty = np.unique(np.array(video.empty, dtype=np.int64))
        for batch in _batches(video, poses, skeleton.size):
            left_out += batch.left_out
            for instance in batch.absent:
                absent.add(instance)
            gone = [instance.frame_index for instance in batch.absent]
            shown = np.union1d(batch.frames, np.array(gone, dtype=np.int64))
            shown = np.union1d(shown, empty[empty < shown.max(initial=-1)])
            shown = shown[shown > (frames[-1] if frames else -1)]
            frames.extend(shown.tolist())
            place = batch.frames if every_frame else np.searchsorted(np.asarray(frames), batch.frames)
            rows = list(batch.rows(annotations + 1, images + place + 1))
            lines = encoder.encode_lines(rows)
            stream.write((b",\n" if annotations and rows else b"") + lines[:-1].replace(b"\n", b",\n"))
            annotations += len(rows)
        frames.extend(empty[empty > (frames[-1] if frames else -1)].tolist())
        listed.append((video, range(video.num_frames) if every_frame else frames, absent))
        images += len(listed[-1][1])
    stream.write(b'\n],\n"images":[\n')
    first = 1
    for video, listing, absent in listed:
        _write_images(stream, video, listing, first, absent)
        first += len(listing)
    stream.write(b"\n]}\n")
    return Written(len(listed), images, annotations, left_out)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Instances with a known point, checked and rounded."""

    instances: list[Instance]
    left_out: int
    absent: list[Instance]  # without a known point, those of which one is absent
    frames: np.ndarray  # (N,)
    xy: np.ndarray  # (N, K, 2)
    visibility: np.ndarray  # (N, K)
    scores: np.ndarray  # (N, K)
    radius90: np.ndarray  # (N, K)
    box: np.ndarray  # (N, 4)

    def rows(self, first: int, image_ids: np.ndarray) -> Iterator[_Annotation]:
        known = self.visibility > 0
        count = known.sum(axis=1)
        keypoints = np.empty((*known.shape, 3), dtype=object)
        keypoints[..., :2], keypoints[..., 2] = self.xy, self.visibility
        keypoints[~known] = 0
        area = np.round(AREA_SHARE * self.box[:, 2] * self.box[:, 3], 2)
        columns = (
            image_ids, keypoints.reshape(len(known), 3 * known.shape[1]), count, self.box, area,
            np.round(self.scores.sum(axis=1) / np.maximum(count, 1), 4), self.scores, self.radius90, known,
        )  # fmt: skip
        for number, (instance, *values) in enumerate(
            zip(self.instances, *(column.tolist() for column in columns), strict=True), start=first
        ):
            image_id, points, num, box, size, score, scores, radius90, there = values
            sources, states = instance.point_sources, instance.radius90_states
            yield _Annotation(
                id=number,
                image_id=image_id,
                category_id=1,
                track_id=instance.track_id,
                keypoints=points,
                num_keypoints=num,
                bbox=box,
                area=size,
                iscrowd=0,
                score=score,
                source=instance.source,
                keypoint_scores=None if instance.scores is None else scores,
                keypoint_radius90=None if instance.radius90 is None else radius90,
                keypoint_radius90_states=states and [s if t else None for s, t in zip(states, there, strict=True)],
                keypoint_sources=sources and [s if t else None for s, t in zip(sources, there, strict=True)],
                run_id=instance.run_id,
                absent=list(instance.absent) or None,
                stale_keypoints=None if instance.stale_points is None else [*instance.stale_points],
            )


def _batches(video: VideoInfo, poses: Iterable[Instance], count: int) -> Iterator[_Batch]:
    remaining = iter(poses)
    last = (-1, 0)
    while batch := list(islice(remaining, _BATCH)):
        for instance in batch:
            place = (instance.frame_index, instance.track_id)
            if place <= last:
                raise ValueError(f"{_named(video, instance)} comes after frame {last[0]}, track {last[1]}")
            _check(video, instance, count)
            last = place
        yield _batch(video, batch)


def _check(video: VideoInfo, instance: Instance, count: int) -> None:
    if not 0 <= instance.frame_index < video.num_frames:
        raise ValueError(f"{_named(video, instance)} is not in the video, which has {video.num_frames} frames")
    if instance.track_id < 1:
        raise ValueError(f"{_named(video, instance)}: track ids count from 1")
    for label, shape, values in (
        ("xy", (count, 2), instance.xy),
        ("visibility", (count,), instance.visibility),
        ("scores", (count,), instance.scores),
        ("radius90", (count,), instance.radius90),
    ):
        if values is not None and values.shape != shape:
            raise ValueError(f"{_named(video, instance)}: {label} has shape {values.shape}, the skeleton wants {shape}")
    sources = instance.point_sources
    if instance.source not in _SOURCES or (
        sources is not None and (len(sources) != count or not _SOURCES.issuperset(sources))
    ):
        kinds = ", ".join(sorted(_SOURCES))
        raise ValueError(f"{_named(video, instance)}: a source is one of {kinds}, point_sources one per keypoint")


def _batch(video: VideoInfo, batch: list[Instance]) -> _Batch:
    visibility = np.stack([instance.visibility for instance in batch])
    known = visibility > 0
    ones, zeros = np.ones(known.shape[1]), np.zeros(known.shape[1])
    xy = np.stack([instance.xy for instance in batch]).astype(np.float64)
    scores = np.stack([ones if instance.scores is None else instance.scores for instance in batch]).astype(np.float64)
    radius90 = np.stack([zeros if i.radius90 is None else i.radius90 for i in batch]).astype(np.float64)
    for label, right in (
        ("visibility must be 0, 1 or 2", np.isin(visibility, (0, 1, 2))),
        (f"a coordinate must be within {MAX_COORDINATE:g} px", ~known | (np.abs(xy) <= MAX_COORDINATE).all(axis=-1)),
        ("a score must be from 0 to 1", ~known | ((scores >= 0) & (scores <= 1))),
        (
            f"a radius must be from 0 to {MAX_COORDINATE:g} px",
            ~known | ((radius90 >= 0) & (radius90 <= MAX_COORDINATE)),
        ),
    ):
        if not right.all():
            raise ValueError(f"{_named(video, batch[np.argwhere(~right)[0][0]])}: {label}")

    kept: np.ndarray = np.any(known, axis=1)
    gone = ~kept & np.array([bool(instance.absent) for instance in batch])
    known, visibility = known[kept], visibility[kept]
    # Adding zero turns -0.0 into 0.0.
    xy = np.where(known[..., None], np.round(xy[kept], 2) + 0.0, 0.0)
    box = boxes.around(xy, visibility, relative=PADDING, minimum=MIN_PADDING)
    return _Batch(
        instances=[instance for instance, keep in zip(batch, kept, strict=True) if keep],
        left_out=int(np.count_nonzero(~kept & ~gone)),
        absent=[batch[row] for row in np.flatnonzero(gone)],
        frames=np.array([instance.frame_index for instance in batch], dtype=np.int64)[kept],
        xy=xy,
        visibility=visibility.astype(np.uint8),
        scores=np.where(known, np.round(scores[kept], 4), 0.0),
        radius90=np.where(known, np.round(radius90[kept], 2), 0.0),
        box=_rounded(boxes.clip(box, video.width, video.height, least=1.0)),
    )


def _rounded(box: np.ndarray) -> np.ndarray:
    low, high = (np.round(corner, 2) for corner in boxes.corners(box))
    return np.round(np.concatenate([low, high - low], axis=-1), 2)


def _write_images(stream: BinaryIO, video: VideoInfo, frames: Iterable[int], first: int, absent: _Absent) -> None:
    folder = _json(video.slug)[:-1].decode()
    tail = f'"width":{video.width},"height":{video.height},"video_id":{video.id},"frame_index":'
    for image_id, frame in enumerate(frames, start=first):
        comma = ",\n" if image_id > 1 else ""
        when = "" if video.times is None else f',"time":{round(float(video.times[frame]), _SECOND_DECIMALS)!r}'
        mark = ',"damaged":true' if video.damaged and inside(video.damaged, np.array([frame]))[0] else ""
        name = f'{comma}{{"id":{image_id},"file_name":{folder}/frame_{frame:06d}.jpg"'
        stream.write(f"{name},{tail}{frame}{when}{mark}{absent.fields(frame)}}}".encode())


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _named(video: VideoInfo, instance: Instance) -> str:
    return f"video {video.slug!r}, frame {instance.frame_index}, track {instance.track_id}"
