"""Which frame of a video a picture is, by its pixels, in a confined child process.

A picture is compared with the frame that its name tells and those next to it; only where another one is more like it,
the frames further away are looked at. Likeness is the correlation of gray values, so neither the range of colours nor
how a picture was compressed matters. What stands still for some frames is as like to all of them: then the frame that
was named counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.exchange import task as tasks
from pose.decoder import VideoError
from pose.video import VideoReader

#: Frames that are searched to each side of the one that is named.
REACH = 100

_NEAR = 3
_WIDTH = 480  # pixels that are compared across
_LIKE = 0.95
#: A picture that is so unlike the frame it names, or less, was taken from it: others need not be looked at.
_SURELY = 1e-3
#: What one picture may be unlike a frame more than the best, as a share of that, and still be as like.
_SAME, _LEAST = 1.1, 1e-5


class ProofError(Exception):
    """A video or picture that cannot be compared; the text says why."""


@dataclass(frozen=True)
class Proof:
    """What the pixels say.

    Attributes:
        num_frames: Of the video.
        width: Of the video.
        height: Of the video.
        frames: By the frame that a picture's name tells, the frame that it is; None where it is like none nearby.
        cropped: Whether the pictures are of the crop, not of the whole frame.
    """

    num_frames: int
    width: int
    height: int
    frames: Mapping[int, int | None]
    cropped: bool

    @property
    def moved(self) -> dict[int, int]:
        """How many pictures are so many frames later than they say, those in place left out."""
        counts: dict[int, int] = {}
        for said, found in self.frames.items():
            if found is not None and found != said:
                counts[found - said] = counts.get(found - said, 0) + 1
        return dict(sorted(counts.items()))

    @property
    def unlike(self) -> list[int]:
        """Frames whose pictures are like no frame nearby."""
        return [said for said, found in self.frames.items() if found is None]


def prove(
    video: Path, pictures: Mapping[int, Path], folder: Path, *, crop: tuple[int, int, int, int] | None = None
) -> Proof:
    """Find the frames of pictures.

    Args:
        video: The video's file.
        pictures: By the frame that they are said to be.
        folder: Takes what the child writes.
        crop: The part of the frame that pictures may be of: x, y, width, height.

    Raises:
        ProofError: The video or a picture cannot be read, or a picture is of another size.
    """
    files = {str(frame): str(file.resolve()) for frame, file in pictures.items()}
    task = {"video": str(video.resolve()), "pictures": files, "crop": crop}
    places = (str(video.resolve()), *sorted({str(Path(file).parent) for file in files.values()}))
    try:
        said = tasks.do("app.exchange.proof", task, folder, places)
    except tasks.Broken as error:
        raise ProofError(f"{video}: {error}") from None
    if "error" in said:
        raise ProofError(str(said["error"]))
    frames = {int(frame): None if found is None else int(found) for frame, found in said["frames"].items()}
    return Proof(said["num_frames"], said["width"], said["height"], frames, said["cropped"])


def main(task: dict[str, Any]) -> None:
    """Compare, in the child."""
    try:
        said = _compare(tasks.asked(task))
    except (ProofError, VideoError, OSError) as error:
        said = {"error": str(error)}
    tasks.say(task, said)


def _compare(wanted: dict[str, Any]) -> dict[str, Any]:
    pictures = {int(frame): Path(file) for frame, file in wanted["pictures"].items()}
    crop = wanted["crop"]
    with VideoReader(wanted["video"]) as video:
        whole = (0, 0, video.width, video.height)
        part, cropped = whole, False
        frames: dict[int, int | None] = {}
        for frame, file in sorted(pictures.items()):
            seen = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
            if seen is None:
                raise ProofError(f"{file}: this picture cannot be read")
            size = (seen.shape[1], seen.shape[0])
            here = whole if size == whole[2:] else _crop(crop, size, whole)
            if here is None or (frames and here != part):
                sides = f"{size[0]} x {size[1]} pixels, and its video {whole[2]} x {whole[3]}"
                raise ProofError(f"{file}: this picture has {sides}: labels on it would stand elsewhere in the video")
            part, cropped = here, here != whole
            frames[frame] = _find(video, _small(seen), frame, part)
    return {
        "num_frames": video.num_frames,
        "width": whole[2],
        "height": whole[3],
        "frames": frames,
        "cropped": cropped,
    }


def _crop(
    crop: list[int] | None, size: tuple[int, int], whole: tuple[int, int, int, int]
) -> tuple[int, int, int, int] | None:
    if crop is None or (crop[2], crop[3]) != size:
        return None
    left, top, width, height = crop
    return (left, top, width, height) if left + width <= whole[2] and top + height <= whole[3] else None


def _find(video: VideoReader, seen: np.ndarray, frame: int, part: tuple[int, int, int, int]) -> int | None:
    """The frame that a picture is; None where none is like it."""
    near = _unlike(video, seen, frame, _NEAR, part)
    if _best(near, frame) == frame and near[frame] <= _SURELY:
        return frame
    all_ = _unlike(video, seen, frame, REACH, part)
    best = _best(all_, frame)
    return best if best is not None and 1 - all_[best] >= _LIKE else None


def _best(unlike: Mapping[int, float], frame: int) -> int | None:
    if not unlike:
        return None
    least = min(unlike.values()) * _SAME + _LEAST
    as_like = [one for one, value in unlike.items() if value <= least]
    return min(as_like, key=lambda one: (abs(one - frame), one))


def _unlike(
    video: VideoReader, seen: np.ndarray, frame: int, reach: int, part: tuple[int, int, int, int]
) -> dict[int, float]:
    start, stop = max(frame - reach, 0), min(frame + reach + 1, video.num_frames)
    if start >= stop:
        return {}
    x, y, width, height = part
    shown = video.frames(start, stop, gray=True)
    return {
        number: 1 - _correlation(seen, _small(picture[y : y + height, x : x + width]))
        for number, picture in enumerate(shown, start=start)
    }


def _small(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape
    scale = min(1.0, _WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small: np.ndarray = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    a, b = (values - values.mean() for values in (one, other))
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    if norm == 0:  # of one colour
        return 1.0 if not a.any() and not b.any() else 0.0
    return float((a * b).sum()) / norm
