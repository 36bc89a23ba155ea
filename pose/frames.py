"""Frame sources: the protocol, frames in memory, a cache of recent frames, and parts of a video."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

#: Decoded frames that :class:`RecentFrames` keeps, in bytes.
MAX_CACHED_BYTES = 128 * 2**20

#: Called several times a second during long work; what it raises ends the work.
OnStep = Callable[[], None]


def no_step() -> None:
    """Do nothing: the step where no callback is needed."""


class FrameSource(Protocol):
    """A source of frames: the part of ``pose.video.VideoReader`` that engines use."""

    @property
    def key(self) -> str | None:
        """Equal keys mean equal frames; None where nothing is known. What is computed from frames is kept by key."""
        ...

    @property
    def num_frames(self) -> int:
        """``F``."""
        ...

    @property
    def width(self) -> int:
        """Pixels of the displayed frame."""
        ...

    @property
    def height(self) -> int:
        """Pixels of the displayed frame."""
        ...

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """Frames ``start <= i < stop`` in order, ``(H, W, 3)`` uint8 RGB or, if ``gray``, ``(H, W)`` luma."""
        ...


@dataclass(frozen=True, eq=False)
class InMemoryFrames:
    """A video that is already in memory.

    Attributes:
        images: ``(F, H, W, 3)`` uint8 RGB.
    """

    images: np.ndarray

    @property
    def key(self) -> None:
        """None: frames in memory have no name."""
        return

    @property
    def num_frames(self) -> int:
        """``F``."""
        return len(self.images)

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.images.shape[2])

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.images.shape[1])

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``."""
        for image in self.images[start:stop]:
            yield np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) if gray else image


class RecentFrames:
    """A video that remembers the frames it gave last.

    Neighbouring segments share a keyframe, and tracks share all frames: without this the decoder would go back to the
    keyframe of the stream before each segment.

    Args:
        video: The frames.
        max_bytes: Memory for frames; two are kept in any case.
    """

    def __init__(self, video: FrameSource, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._video = video
        self._room = max_bytes
        self._frames: OrderedDict[tuple[bool, int], np.ndarray] = OrderedDict()

    @property
    def key(self) -> str | None:
        """See ``FrameSource.key``."""
        return self._video.key

    @property
    def num_frames(self) -> int:
        """``F``."""
        return self._video.num_frames

    @property
    def width(self) -> int:
        """Pixels of the displayed frame."""
        return self._video.width

    @property
    def height(self) -> int:
        """Pixels of the displayed frame."""
        return self._video.height

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``; frames are shared and must not be written to."""
        stop = self.num_frames if stop is None else stop
        index = start
        while index < stop:
            if (gray, index) in self._frames:
                self._frames.move_to_end((gray, index))
                yield self._frames[gray, index]
                index += 1
                continue
            missing = next((later for later in range(index, stop) if (gray, later) in self._frames), stop)
            for frame in self._video.frames(index, missing, gray=gray):
                self._remember((gray, index), frame)
                yield frame
                index += 1

    def _remember(self, key: tuple[bool, int], frame: np.ndarray) -> None:
        self._frames[key] = frame
        self._room -= frame.nbytes
        while self._room < 0 and len(self._frames) > 2:
            _, oldest = self._frames.popitem(last=False)
            self._room += oldest.nbytes


class Shot:
    """Some frames of a video as a video of their own, counted from 0.

    Args:
        video: The whole video.
        start: First frame.
        stop: The frame after the last.
    """

    def __init__(self, video: FrameSource, start: int, stop: int) -> None:
        self._video = video
        self._start = start
        self.num_frames = stop - start
        self.width, self.height = video.width, video.height

    @property
    def key(self) -> str | None:
        """See ``FrameSource.key``."""
        key = self._video.key
        return None if key is None else f"{key} from {self._start}"

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``."""
        stop = self.num_frames if stop is None else stop
        return self._video.frames(self._start + start, self._start + stop, gray=gray)
