"""Videos kept as numbered image files, read as ``pose.video.VideoReader`` reads a video file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from pose.damage import ranges_of
from pose.frame_table import FrameTable, VideoError
from pose.video import VideoReader

#: Endings of the files that are taken for images.
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))

#: Images have no rate; so many are shown a second.
RATE = 25

#: A folder whose numbers span more frames than this is refused.
MAX_FRAMES = 1_000_000


class ImageFolder:
    """Images open for reading as the frames of a video; a context manager.

    The size is that of the first image that is there; all have it. An image that is missing or damaged is noticed when
    its turn comes.

    Attributes:
        damaged: Ranges of frames ``start <= i < stop`` that are missing and may be: the last image before, or the first
            one of all, is shown in their place.
        table: None: there is no file that has a frame table.

    Args:
        files: Frame ``i`` is ``files[i]``.
        key: See ``pose.video.VideoReader``.
        gaps: Whether images may be missing.

    Raises:
        VideoError: There is no image among the files, or the first one that is there cannot be read.
    """

    table = None

    def __init__(self, files: Sequence[Path], *, key: str | None = None, gaps: bool = False) -> None:
        first = next((file for file in files if file.is_file()), None)
        if first is None:
            raise VideoError(f"There is no image at {files[0]}." if files else "There are no images.")
        self.key = key
        self.files = tuple(files)
        missing = [index for index, file in enumerate(files) if gaps and not file.is_file()]
        self.damaged = ranges_of(missing, most=len(files))
        self.height, self.width = _decoded(first).shape[:2]

    @classmethod
    def of(cls, folder: Path, *, key: str | None = None) -> ImageFolder:
        """The numbered images of a folder, see ``numbered_images``; a number that is missing is a damaged frame."""
        return cls(numbered_images(folder), key=key, gaps=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    def num_frames(self) -> int:
        """``F``."""
        return len(self.files)

    @property
    def times(self) -> np.ndarray:
        """``(F,)`` float64 seconds from the first frame, at ``RATE`` a second: images have no times."""
        return np.arange(self.num_frames) / RATE

    def read(self, index: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """Frame ``index``, ``(H, W, 3)`` uint8 RGB.

        Args:
            index: The frame.
            size: Width and height to shrink it to; None for as it is.

        Raises:
            IndexError: There is no such frame.
            VideoError: The file is missing, no image, or of another size than the others.
        """
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a video with {self.num_frames} frames")
        image = np.asarray(cv2.cvtColor(self._image(index), cv2.COLOR_BGR2RGB))
        if size is None or size == (self.width, self.height):
            return image
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """Frames ``start <= i < stop`` in order.

        Args:
            start: First frame.
            stop: The frame after the last; the end of the video where None.
            gray: Give ``(H, W)`` uint8 luma instead of ``(H, W, 3)`` uint8 RGB.

        Raises:
            IndexError: The video has no such frames.
            VideoError: As in ``read``.
        """
        stop = self.num_frames if stop is None else stop
        if not 0 <= start <= stop <= self.num_frames:
            raise IndexError(f"frames {start} to {stop} of a video with {self.num_frames} frames")
        code = cv2.COLOR_BGR2GRAY if gray else cv2.COLOR_BGR2RGB
        return (np.asarray(cv2.cvtColor(self._image(index), code)) for index in range(start, stop))

    def _image(self, index: int) -> np.ndarray:
        for start, stop in self.damaged:
            if start <= index < stop:
                index = start - 1 if start else stop
                break
        image = _decoded(self.files[index])
        height, width = image.shape[:2]
        if (width, height) != (self.width, self.height):
            size = f"{self.width} x {self.height}"
            raise VideoError(f"{self.files[index]} is {width} x {height} pixels large; the first frame is {size}.")
        return image


#: What gives the frames of a video, of a file or of a folder.
Frames = VideoReader | ImageFolder


def numbered_images(folder: Path) -> list[Path]:
    """The images of a folder by number: the last digits of a name before its ending.

    The lowest number is frame 0. A number between the lowest and the highest that no file has keeps its place, so that
    later frames keep theirs; its file does not exist.

    Raises:
        VideoError: The folder is missing or has no numbered image, two images have one number, or the numbers span more
            than ``MAX_FRAMES``.
    """
    found: dict[int, Path] = {}
    try:
        names = sorted(file for file in folder.iterdir() if not file.name.startswith("."))
    except OSError as error:
        raise VideoError(f"The folder {folder} cannot be read: {error.strerror}.") from error
    for file in names:
        number = number_of(file.name)
        if number is None or file.suffix.lower() not in SUFFIXES:
            continue
        if number in found:
            raise VideoError(f"In {folder}, {found[number].name} and {file.name} are both frame {number}.")
        found[number] = file
    if not found:
        raise VideoError(f"There are no numbered images in {folder}, such as 000001.jpg.")
    first, last = min(found), max(found)
    if last - first >= MAX_FRAMES:
        raise VideoError(f"The images in {folder} are numbered from {first} to {last}; that is more than a video has.")
    return [found.get(number) or renumbered(found[first], number) for number in range(first, last + 1)]


def number_of(name: str) -> int | None:
    """The last digits of a file's name before its ending; None where it has none."""
    digits = re.search(r"(\d+)\D*$", Path(name).stem)
    return int(digits[1]) if digits else None


def renumbered(file: Path, number: int) -> Path:
    """The file of another number in the same style."""
    stem = re.sub(r"(\d+)(\D*)$", lambda found: f"{number:0{len(found[1])}}{found[2]}", file.stem)
    return file.with_name(f"{stem}{file.suffix}")


def open_frames(path: Path, table: FrameTable | None = None) -> VideoReader | ImageFolder:
    """Open what holds a video's frames: a video file, a folder of numbered images, or a single image.

    Args:
        path: The file or folder.
        table: The frame table of a video file, where it is at hand.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: It cannot be used.
    """
    if path.is_dir():
        return ImageFolder.of(path)
    if path.suffix.lower() in SUFFIXES:
        return ImageFolder([path])
    return VideoReader(path, table)


def _decoded(file: Path) -> np.ndarray:
    try:
        data = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise VideoError(f"The image {file} cannot be read: {error.strerror}.") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise VideoError(f"{file} is no image that can be read.")
    return np.asarray(image)
