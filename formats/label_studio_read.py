"""Reading what Label Studio exports."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from formats.dataset import MAX_FRAMES, Dataset, Video
from formats.errors import FormatError, refuse
from formats.files import read_file
from formats.pictures import video_and_frame
from formats.rows import Rows
from pose.formats.coco_layout import Category, CocoError, fault
from pose.formats.coco_skeleton import read_skeleton
from pose.skeleton import MAX_KEYPOINTS, Skeleton, SkeletonError


class _Value(msgspec.Struct, gc=False):
    x: float | None = None
    y: float | None = None
    keypointlabels: list[str] = []


class _Region(msgspec.Struct, gc=False):
    type: str = ""
    id: str | int | None = None
    parentID: str | int | None = None
    original_width: float | None = None
    original_height: float | None = None
    image_rotation: float | None = None
    hidden: bool | None = None
    score: float | None = None
    meta: Any = None
    value: msgspec.Raw = msgspec.Raw(b"{}")
    from_id: str | int | None = None
    to_id: str | int | None = None


class _Annotation(msgspec.Struct):
    result: list[_Region] | None = None
    was_cancelled: bool | None = None
    ground_truth: bool | None = None
    score: float | None = None


class _Task(msgspec.Struct):
    data: dict[str, Any]
    annotations: list[_Annotation] = []
    predictions: list[_Annotation] = []
    meta: Any = None


@dataclass
class _Subject:
    """One subject of a task: by keypoint x, y in hundredths, visibility and score."""

    track: int | None = None
    name: str = ""
    points: dict[str, tuple[float, float, int, float, tuple[float, float]]] = field(default_factory=dict)


@dataclass
class _Video:
    name: str
    size: tuple[int, int] | None = None
    tracks: dict[int, str] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)


def dataset_of(path: Path) -> Dataset:
    """Read a file of tasks.

    Raises:
        FormatError: It cannot be read.
    """
    tasks = _tasks(path)
    skeleton = _skeleton(path, tasks)
    column = {name: place for place, name in enumerate(skeleton.keypoints)}
    rows, videos = Rows(path, skeleton.size), dict[Any, _Video]()
    numbers: dict[Any, int] = {}
    for place, task in enumerate(tasks):
        pointer = f"/{place}"
        key, name, frame = _picture(path, pointer, task)
        video = videos.setdefault(key, _Video(name))
        number = numbers.setdefault(key, len(numbers))
        subjects = _subjects(path, pointer, task)
        video.size = video.size or _size(task.data.get("width"), task.data.get("height"))
        merged = _merged(path, pointer, subjects)
        for track, (people, machine) in merged.items():
            points, scores, human = [0.0] * (3 * skeleton.size), [0.0] * skeleton.size, [False] * skeleton.size
            for by_person, subject in ((False, machine), (True, people)):
                for keypoint, (x, y, seen, score, size) in (subject.points if subject else {}).items():
                    k = column[keypoint]
                    points[3 * k : 3 * k + 3] = x / 100 * size[0], y / 100 * size[1], seen
                    scores[k], human[k] = score, by_person
                    video.size = video.size or _size(*size)
            called = next((one.name for one in (people, machine) if one is not None and one.name), "")
            if called:
                video.tracks[track] = called
            rows.add(pointer, number, frame, track, points, scores=scores, human=human)
        if not merged:
            video.empty.append(frame)
    return rows.dataset(skeleton, tuple(_video(video) for video in videos.values()))


def _video(video: _Video) -> Video:
    width, height = video.size or (None, None)
    tracks = dict(sorted(video.tracks.items()))
    return Video(name=video.name, width=width, height=height, tracks=tracks, empty=tuple(sorted({*video.empty})))


def _tasks(path: Path) -> list[_Task]:
    data = read_file(path).removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(data, type=list[_Task])
    except msgspec.ValidationError as error:
        raise FormatError(path, [fault(error)]) from None
    except UnicodeDecodeError:
        raise refuse(path, "", "not UTF-8 text") from None
    except RecursionError:
        raise refuse(path, "", "nested too deep") from None
    except msgspec.DecodeError as error:
        raise refuse(path, "", f"not JSON: {error}") from None


def _skeleton(path: Path, tasks: list[_Task]) -> Skeleton:
    """The skeleton that our own files say, else the keypoints in the order in which they come."""
    said = tasks[0].meta.get("skeleton") if tasks and isinstance(tasks[0].meta, dict) else None
    names: dict[str, None] = {}
    found: Skeleton | None = None
    if said is not None:
        try:
            found = read_skeleton(0, msgspec.convert(said, Category), [])
            names = dict.fromkeys(found.keypoints)
        except (msgspec.ValidationError, CocoError) as error:
            raise refuse(path, "/0/meta/skeleton", str(error)) from None
    for place, task in enumerate(tasks):
        for one in (*task.annotations, *task.predictions):
            for region in one.result or ():
                if region.type == "keypointlabels":
                    names |= dict.fromkeys(_value(path, f"/{place}", region).keypointlabels[:1])
    if found is not None and len(names) == found.size:
        return found
    if not names or len(names) > MAX_KEYPOINTS:
        raise refuse(path, "", f"there are {len(names)} different keypoints")
    try:
        return Skeleton(name=found.name if found else "", keypoints=tuple(names))
    except SkeletonError as error:
        raise refuse(path, "", str(error)) from None


def _picture(path: Path, pointer: str, task: _Task) -> tuple[Any, str, int]:
    """What tells the video of a task from others, its name, and the frame."""
    data = task.data
    name, frame = data.get("video"), data.get("frame_index")
    if isinstance(name, str) and isinstance(frame, int) and not isinstance(frame, bool):
        number = data.get("video_id")
        if not 0 <= frame < MAX_FRAMES:
            raise refuse(path, f"{pointer}/data/frame_index", f"{frame} is no frame")
        return (number if isinstance(number, int) else None, name), name, frame
    image = next(
        (value for key, value in data.items() if key in ("image", "img", "ocr") and isinstance(value, str)), None
    )
    if image is None:
        raise refuse(path, f"{pointer}/data", "there is no image; Label Studio has no keypoints in videos")
    video, frame = video_and_frame(picture_name(image))
    return (None, video), video, frame


def picture_name(image: str) -> str:
    """The name that a picture had before Label Studio stored it, with its folders.

    Files that were uploaded have eight hexadecimal digits before their names, local ones stand after ``?d=``.

    Args:
        image: The address of a task's picture.
    """
    file = image.partition("?d=")[2] or image.partition("?")[0]
    folder, _, base = file.rpartition("/")
    if len(base) > 9 and base[8] == "-" and all(letter in "0123456789abcdef" for letter in base[:8]):
        base = base[9:]
    return f"{folder.strip('/')}/{base}"


def _subjects(path: Path, pointer: str, task: _Task) -> list[tuple[bool, _Subject]]:
    """The subjects of a task, each with whether people made it; a machine's only where nobody spoke, or ours."""
    found: list[tuple[bool, _Subject]] = []
    spoken = [one for one in task.annotations if not one.was_cancelled]
    spoken.sort(key=lambda one: not one.ground_truth)
    if spoken:
        found += [(True, one) for one in _of(path, f"{pointer}/annotations", spoken[0])]
    if task.predictions:
        guessed = _of(path, f"{pointer}/predictions", task.predictions[0])
        found += [(False, one) for one in guessed if not spoken or one.track is not None]
    return found


def _of(path: Path, pointer: str, annotation: _Annotation) -> list[_Subject]:
    regions = annotation.result or []
    subjects: dict[Any, _Subject] = {}
    for region in regions:
        if region.type == "rectanglelabels":
            meta = region.meta if isinstance(region.meta, dict) else {}
            track, text = meta.get("track_id"), meta.get("text")
            subject = subjects.setdefault(region.id, _Subject())
            subject.track = track if isinstance(track, int) and not isinstance(track, bool) else None
            subject.name = text[0] if isinstance(text, list) and text and isinstance(text[0], str) else ""
    joined = {}
    for region in regions:
        if region.type == "relation":
            joined[region.from_id], joined[region.to_id] = region.to_id, region.from_id
    for region in regions:
        if region.type != "keypointlabels":
            continue
        value = _value(path, pointer, region)
        if value.x is None or value.y is None or not value.keypointlabels:
            raise refuse(path, pointer, "a keypoint has no x, y or label")
        if region.image_rotation:
            sentence = f"the picture was turned by {region.image_rotation:g} degrees: turn it back in Label Studio"
            raise refuse(path, pointer, f"{sentence}, or turn its file before it is labelled")
        size = (region.original_width or 0.0, region.original_height or 0.0)
        if not all(isfinite(side) and side > 0 for side in size):
            raise refuse(path, pointer, "a keypoint has no original_width and original_height")
        owner = next((one for one in (region.parentID, joined.get(region.id)) if one in subjects), None)
        subject = subjects.setdefault(owner, _Subject())
        name, score = value.keypointlabels[0], region.score if region.score is not None else annotation.score or 0.0
        if name in subject.points:
            raise refuse(path, pointer, f"two keypoints {name[:60]!r}, and nothing says whose they are")
        subject.points[name] = value.x, value.y, 1 if region.hidden else 2, score, size
    return [subject for subject in subjects.values() if subject.points]


def _value(path: Path, pointer: str, region: _Region) -> _Value:
    try:
        return msgspec.json.decode(region.value, type=_Value)
    except msgspec.ValidationError as error:
        below, sentence = fault(error)
        raise refuse(path, f"{pointer}{below}", sentence) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise refuse(path, pointer, "a value that cannot be read") from None


def _merged(
    path: Path, pointer: str, subjects: list[tuple[bool, _Subject]]
) -> dict[int, tuple[_Subject | None, _Subject | None]]:
    """By track what people and what a machine said of it; subjects without a number get those that are free."""
    merged: dict[int, tuple[_Subject | None, _Subject | None]] = {}
    taken = {subject.track for _, subject in subjects}
    free = (number for number in range(1, 2 * len(subjects) + 2) if number not in taken)
    for by_person, subject in subjects:
        track = subject.track if subject.track is not None else next(free)
        people, machine = merged.get(track, (None, None))
        if (people if by_person else machine) is not None:
            below = "annotations" if by_person else "predictions"
            raise refuse(path, f"{pointer}/{below}", f"two subjects are both track {track}")
        merged[track] = (subject, machine) if by_person else (people, subject)
    return merged


def _size(width: object, height: object) -> tuple[int, int] | None:
    sides = [int(side) for side in (width, height) if isinstance(side, int | float) and 0 < side < 1e9]
    return (sides[0], sides[1]) if len(sides) == 2 and all(sides) else None
