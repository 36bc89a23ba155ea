"""Crops of a video's frames, each cut once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import cv2
import numpy as np

from models.engines.lru_cache import CacheKey, LruCache
from pose.crops import Crop
from pose.frames import FrameSource, OnStep, no_step


class CropCache:
    """Crops of a video's frames; a frame is decoded once for all of them.

    Args:
        video: The frames.
        gray: Crop whose luma is asked for.
        color: Crop whose colours are asked for, or None.
        memory: Where crops are kept; of this video alone unless the video has a key.
        step: For long work on the crops to call.
    """

    def __init__(
        self, video: FrameSource, gray: Crop, color: Crop | None, memory: LruCache, step: OnStep = no_step
    ) -> None:
        self._video = video
        self.gray, self.color = gray, color
        self.memory = memory
        self.step = step

    def place(self, kind: str, *told: Hashable) -> Hashable:
        """The key of a value that was computed from the video, see ``lru_cache.CacheKey``.

        A memory of a video without a key is for that video alone, and nothing of it outlasts it.
        """
        return (kind, told) if self._video.key is None else CacheKey(self._video.key, kind, told)

    def grays(self, frames: Sequence[int]) -> dict[int, np.ndarray]:
        """The gray crops of some frames."""
        return self._crops(self.gray, frames, gray=True)

    def colors(self, frames: Sequence[int]) -> dict[int, np.ndarray]:
        """The colour crops of some frames."""
        assert self.color is not None
        return self._crops(self.color, frames, gray=False)

    def _crops(self, crop: Crop, frames: Sequence[int], *, gray: bool) -> dict[int, np.ndarray]:
        found = {frame: self._remembered(crop, gray, frame) for frame in frames}
        missing = np.array([frame for frame, value in found.items() if value is None])
        for run in np.split(missing, np.flatnonzero(np.diff(missing) != 1) + 1) if len(missing) else []:
            first = int(run[0])
            luma_only = self.color is None
            for frame, image in enumerate(self._video.frames(first, int(run[-1]) + 1, gray=luma_only), start=first):
                found[frame] = self._cut(frame, image)[gray]
        return {frame: value for frame, value in found.items() if value is not None}

    def _remembered(self, crop: Crop, gray: bool, frame: int) -> np.ndarray | None:
        value = self.memory.get(self._place(crop, gray, frame))
        return None if value is None else value[0]

    def _place(self, crop: Crop, gray: bool, frame: int) -> Hashable:
        # Once a frame is described nobody looks at its colours any more, so that these are not worth a shelf.
        return self.place("gray", crop, frame) if gray else ("colors", self._video.key, crop, frame)

    def _cut(self, frame: int, image: np.ndarray) -> dict[bool, np.ndarray]:
        cuts = {}
        if self.color is not None:
            cuts[False] = self.color.cut(image)
            self.memory.put(self._place(self.color, False, frame), (cuts[False],), cuts[False].nbytes)
            image = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        cuts[True] = self.gray.cut(image)
        self.memory.put(self._place(self.gray, True, frame), (cuts[True],), cuts[True].nbytes)
        return cuts
