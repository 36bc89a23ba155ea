"""Frames in memory, as engines take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True, eq=False)
class Footage:
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
        """See ``models.engines.engine.FrameSource.frames``."""
        for image in self.images[start:stop]:
            yield np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) if gray else image
