"""Parts of frames around subjects, decoded once and kept on disk for all epochs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.estimators.views import ENLARGED, InputView
from models.training.subjects import Subject
from pose.crops import Crop, crop_around
from pose.frames import OnStep, no_step
from pose.image_folder import open_frames

_ROOM = 1.8  # times the enlarged box, for augmentation and for subjects that move between frames
_LARGEST = 2.0  # times the input's size


@dataclass(frozen=True, eq=False)
class Still:
    """Part of a frame.

    Attributes:
        image: ``(h, w, 3)`` uint8 RGB.
        crop: Which part, and how it was scaled.
    """

    image: np.ndarray
    crop: Crop

    def seen(self, view: InputView) -> np.ndarray:
        """The part's pixels in a view of the frame."""
        step = 1 / self.crop.scale
        origin = self.crop.to_frame(np.zeros(2))
        return view.after(step, origin).cut(self.image)


class Stills:
    """Stills of the frames that some subjects' clips take, in one file.

    Args:
        subjects: Whose.
        rows: Of each subject's track, those that are centre frames of clips.
        deltas: Frames of a clip relative to its centre frame.
        size: ``(H, W)`` that views have.
        path: The file, which is written anew.
        step: Called for each still; what it raises ends this.

    Raises:
        OSError: A video cannot be read, or the file cannot be written.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        rows: Sequence[np.ndarray],
        deltas: Sequence[int],
        size: tuple[int, int],
        path: Path,
        step: OnStep = no_step,
    ) -> None:
        self._places: dict[tuple[int, int], tuple[int, Crop]] = {}
        self._boxes: dict[tuple[int, int], np.ndarray] = {}
        self._last: list[int] = [0] * len(subjects)
        by_video: dict[Path, list[int]] = defaultdict(list)
        for number, subject in enumerate(subjects):
            by_video[subject.path].append(number)
        length = 0
        with path.open("wb") as file:
            for video, numbers in by_video.items():
                wanted = [(number, subjects[number], subjects[number].track.frames[rows[number]]) for number in numbers]
                for number, frame, still, box in _cut(video, wanted, deltas, size, step):
                    step()
                    self._boxes[number, frame] = box
                    self._places[number, frame] = (length, still.crop)
                    self._last[number] = max(self._last[number], frame)
                    file.write(still.image.tobytes())
                    length += still.image.nbytes
        self._bytes = np.memmap(path, np.uint8, "r") if length else np.zeros(0, np.uint8)

    def has(self, subject: int, frame: int) -> bool:
        """Return whether there is a still of a subject on a frame."""
        return (subject, frame) in self._places

    def box(self, subject: int, frame: int) -> np.ndarray:
        """``(4,)`` xywh where a subject is looked for on a frame of which there is a still."""
        return self._boxes[subject, frame]

    def get(self, subject: int, frame: int) -> Still:
        """The still of a subject, by its position, on a frame."""
        start, crop = self._places[subject, frame]
        shape = (crop.out_height, crop.out_width, 3)
        return Still(self._bytes[start : start + int(np.prod(shape))].reshape(shape), crop)


def _cut(
    path: Path,
    subjects: Sequence[tuple[int, Subject, np.ndarray]],
    deltas: Sequence[int],
    size: tuple[int, int],
    step: OnStep,
) -> Iterator[tuple[int, int, Still, np.ndarray]]:
    """The stills of one video's subjects, in order of frames: subject, frame, still, and where it is looked for.

    Subjects come with the centre frames of their clips.
    """
    with open_frames(path, subjects[0][1].table) as video:
        wanted: dict[int, list[tuple[int, np.ndarray]]] = defaultdict(list)
        whole = np.array([0.0, 0.0, video.width, video.height])
        for number, subject, frames in subjects:
            step()
            near = np.unique((frames[:, None] + np.asarray(deltas)).clip(0, video.num_frames - 1))
            around = subject.expected(near)
            around = np.where(np.isnan(around), whole, around)
            for frame, box in zip(near.tolist(), around, strict=True):
                wanted[frame].append((number, box))
        for start, stop in _spans(sorted(wanted)):
            for frame, image in zip(range(start, stop), video.frames(start, stop), strict=True):
                for number, box in wanted.get(frame, ()):
                    crop = _crop(box, image.shape[1], image.shape[0], size)
                    yield number, frame, Still(crop.cut(image), crop), box


def _spans(frames: Sequence[int], jump: int = 30) -> Iterator[tuple[int, int]]:
    """Ascending frames as spans to decode; between two that are near each other it is quicker to decode on."""
    start = 0
    for index in range(1, len(frames) + 1):
        if index == len(frames) or frames[index] - frames[index - 1] > jump:
            yield frames[start], frames[index - 1] + 1
            start = index


def _crop(box: np.ndarray, width: int, height: int, size: tuple[int, int]) -> Crop:
    # Around the view of the box, which has the input's shape; as large in pixels as there.
    scale = min(size[1] / box[2], size[0] / box[3]) / ENLARGED
    middle, half = box[:2] + box[2:] / 2, _ROOM / 2 / scale * np.array([size[1], size[0]])
    return crop_around(
        np.stack([middle - half, middle + half]),
        max(size) / scale,
        width,
        height,
        scaled_size=max(size),
        margin=0.0,
        longest=round(_LARGEST * max(size)),
        most_enlarged=1.0,
    )
