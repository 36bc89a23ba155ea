"""YOLO-pose as Ultralytics reads it: ``data.yaml`` and a text file a picture under ``labels``.

A line is a subject: class, box, and x, y, visibility of each keypoint, as shares of the picture's size. The files do
not say the size: it is taken from the pictures under ``images``, or from ``posetween_videos`` in ``data.yaml``, which
other readers pass over.
"""

from __future__ import annotations

import math
from pathlib import Path, PurePosixPath

import numpy as np

from formats import yaml_text
from formats.dataset import Dataset, Video
from formats.errors import refuse
from formats.files import files_below, read_text, write_file
from formats.image_size import image_size
from formats.names import folder_names
from formats.pictures import picture, video_and_frame
from formats.rows import Rows
from pose import boxes
from pose.formats.coco_layout import counted
from pose.formats.coco_write import MIN_PADDING, PADDING
from pose.skeleton import MAX_KEYPOINTS, Skeleton, SkeletonError

LOSES = (
    "retired", "machine", "absent", "outside", "tracks", "track_names", "lengths", "video_names", "edges", "sigmas",
)  # fmt: skip

DATA = "data.yaml"
_VIDEOS = "posetween_videos"
_IMAGES = (".jpg", ".jpeg", ".png")


def read(path: Path) -> Dataset:
    """Read a data set.

    Args:
        path: Of its folder, or of its ``data.yaml``.

    Raises:
        FormatError: It cannot be read.
    """
    root, about = (path, path / DATA) if path.is_dir() else (path.parent, path)
    said = yaml_text.load(about)
    skeleton, dims = _skeleton(about, said)
    sizes = _sizes(said)
    videos = {name: place for place, name in enumerate(sizes)}
    rows = Rows(path, skeleton.size)
    empty: dict[int, list[int]] = {}
    for file in files_below(root / "labels"):
        if file.suffix != ".txt":
            continue
        label = PurePosixPath(*file.relative_to(root / "labels").parts)
        inner = PurePosixPath(*label.parts[1:]) if label.parts[0] in ("train", "val", "test") else label
        video, frame = video_and_frame(str(inner))
        number = videos.setdefault(video, len(videos))
        size = sizes.get(video) or next(filter(None, (image_size(p) for p in _images(root, label))), None)
        sizes[video] = size
        count = _read_lines(rows, file, (number, frame), skeleton.size, dims, size)
        if not count:
            empty.setdefault(number, []).append(frame)
    listed = []
    for name, number in videos.items():
        width, height = sizes.get(name) or (None, None)
        frames = tuple(sorted({*empty.get(number, ())}))
        listed.append(Video(name=name, width=width, height=height, empty=frames))
    return rows.dataset(skeleton, tuple(listed))


def _read_lines(
    rows: Rows, file: Path, where: tuple[int, int], count: int, dims: int, size: tuple[int, int] | None
) -> int:
    """The subjects of a picture; how many there are with a known point."""
    subjects = 0
    for line, text in enumerate(read_text(file).splitlines(), start=1):
        cells = text.split()
        if not cells:
            continue
        try:
            numbers = [float(cell) for cell in cells]
        except ValueError:
            numbers = [math.nan]
        if not all(map(math.isfinite, numbers)):
            raise refuse(file, f"line {line}", "there is something that is no number")
        if len(numbers) != 5 + dims * count:
            wanted = f"{5 + dims * count} are wanted of {counted(count, 'keypoint')}"
            raise refuse(file, f"line {line}", f"{counted(len(numbers), 'number')}; {wanted}")
        if size is None:
            raise refuse(file, f"line {line}", "the size of the picture is not known: there is no picture of it")
        points: list[float] = []
        for place in range(5, len(numbers), dims):
            x, y = numbers[place] * size[0], numbers[place + 1] * size[1]
            seen = numbers[place + 2] if dims == 3 else 2.0 * bool(x or y)
            points += (x, y, seen) if seen else (0.0, 0.0, 0.0)
        if any(points[2::3]):
            subjects += 1
            rows.add(f"{file.name}, line {line}", *where, subjects, points)
    return subjects


def _images(root: Path, label: PurePosixPath) -> list[Path]:
    return [root / "images" / label.with_suffix(ending) for ending in _IMAGES]


def _skeleton(path: Path, said: dict[str, object]) -> tuple[Skeleton, int]:
    shape = [yaml_text.whole(one) or 0 for one in yaml_text.strings(said.get("kpt_shape"))]
    if len(shape) != 2 or not 1 <= shape[0] <= MAX_KEYPOINTS or shape[1] not in (2, 3):
        raise refuse(path, "kpt_shape", "expected the number of keypoints, and 2 or 3 numbers of each")
    count = shape[0]
    by_class = said.get("kpt_names")
    listed = [yaml_text.strings(names) for names in by_class.values()] if isinstance(by_class, dict) else []
    if len({tuple(names) for names in listed}) > 1:
        raise refuse(path, "kpt_names", "classes have different keypoints; a data set has one skeleton")
    names = listed[0] if listed else [f"keypoint_{place}" for place in range(count)]
    if len(names) != count:
        raise refuse(path, "kpt_names", f"{counted(len(names), 'name')} for {counted(count, 'keypoint')}")
    flips = [-1 if (flip := yaml_text.whole(one)) is None else flip for one in yaml_text.strings(said.get("flip_idx"))]
    if flips and (len(flips) != count or sorted(flips) != [*range(count)]):
        raise refuse(path, "flip_idx", f"expected each number from 0 to {count - 1} once")
    if any(flips[other] != place for place, other in enumerate(flips)):
        raise refuse(path, "flip_idx", "a keypoint that mirrors another is not mirrored by it")
    classes = said.get("names")
    called = (
        next(iter(classes.values()), "") if isinstance(classes, dict) else next(iter(yaml_text.strings(classes)), "")
    )
    try:
        swap = tuple((place, other) for place, other in enumerate(flips) if place < other)
        return Skeleton(name=called if isinstance(called, str) else "", keypoints=tuple(names), swap=swap), shape[1]
    except SkeletonError as error:
        raise refuse(path, "kpt_names", str(error)) from None


def _sizes(said: dict[str, object]) -> dict[str, tuple[int, int] | None]:
    """What our own files say of their videos."""
    sizes: dict[str, tuple[int, int] | None] = {}
    videos = said.get(_VIDEOS)
    for name, size in videos.items() if isinstance(videos, dict) else ():
        numbers = [yaml_text.whole(one) or 0 for one in yaml_text.strings(size) if len(one) < 7]
        sizes[str(name)] = (numbers[0], numbers[1]) if len(numbers) == 2 and all(numbers) else None
    return sizes


def write(dataset: Dataset, target: Path) -> None:
    """Write a data set, all of it as its part ``train``; pictures belong beside it, ``images/train/VIDEO/frame_….jpg``.

    Args:
        dataset: What.
        target: An empty folder.
    """
    skeleton, folders = dataset.skeleton, folder_names(video.name for video in dataset.videos)
    about = {
        "path": ".",
        "train": "images/train",
        "val": "images/train",
        "kpt_shape": [skeleton.size, 3],
        "flip_idx": skeleton.mirror().tolist(),
        "names": {"0": skeleton.name or "subject"},
        "kpt_names": {"0": [*skeleton.keypoints]},
        _VIDEOS: {
            folder: [video.width, video.height] if video.width and video.height else []
            for folder, video in zip(folders, dataset.videos, strict=True)
        },
    }
    text = yaml_text.dump(about).replace('{"0": ', "{0: ")  # classes are numbers
    write_file(target / DATA, text)
    (target / "labels" / "train").mkdir(parents=True)
    for number, (folder, video) in enumerate(zip(folders, dataset.videos, strict=True)):
        rows = dataset.rows_of(number)
        lines: dict[int, list[str]] = {frame: [] for frame in video.empty}
        for row in range(rows.start, rows.stop):
            assert video.width is not None
            assert video.height is not None
            line = _line(dataset, row, video.width, video.height)
            lines.setdefault(int(dataset.frame[row]), []).append(line)
        for frame, subjects in sorted(lines.items()):
            write_file(target / "labels" / "train" / picture(folder, frame, ".txt"), "".join(subjects))


def image(folder: str, frame: int) -> str:
    """Where the picture of a frame belongs."""
    return f"images/train/{picture(folder, frame)}"


def _line(dataset: Dataset, row: int, width: int, height: int) -> str:
    size = np.array([width, height], dtype=np.float64)
    visibility, xy = dataset.visibility[row], dataset.xy[row].astype(np.float64)
    box = boxes.around(xy, visibility, relative=PADDING, minimum=MIN_PADDING)
    x, y, w, h = (boxes.clip(box, width, height, least=1.0) / np.tile(size, 2)).tolist()
    numbers = [repr(value) for value in (x + w / 2, y + h / 2, w, h)]
    for (x, y), seen in zip((xy / size).tolist(), visibility.tolist(), strict=True):
        numbers += [repr(x), repr(y), str(seen)] if seen else ["0", "0", "0"]
    return " ".join(["0", *numbers]) + "\n"
