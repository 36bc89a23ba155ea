"""Gray frames in memory as an open video gives them, for tests of engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass
class Footage:
    """Counts the frames that were read."""

    gray: np.ndarray
    read: int = 0
    key: str | None = None

    @property
    def num_frames(self) -> int:
        return len(self.gray)

    @property
    def height(self) -> int:
        return self.gray.shape[1]

    @property
    def width(self) -> int:
        return self.gray.shape[2]

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for frame in self.gray[start:stop]:
            self.read += 1
            yield frame if gray else np.repeat(frame[..., None], 3, axis=2)
