"""Spans of frames of videos: which frames are held out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, order=True)
class Span:
    """The frames ``start <= frame < stop`` of a video, whichever track they show."""

    video: int
    start: int
    stop: int

    @property
    def canonical(self) -> str:
        """Its text in the draw of what is held out; never changes, whatever becomes of this class."""
        return f"Span(video={self.video}, start={self.start}, stop={self.stop})"


class Spans:
    """Frames of videos.

    Args:
        spans: In any order; they may overlap.
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self.all = sorted(spans)

    @classmethod
    def from_json(cls, rows: Sequence[Sequence[int]]) -> Spans:
        """The spans that :meth:`to_json` gave."""
        return cls(Span(*row) for row in rows)

    def to_json(self) -> list[tuple[int, int, int]]:
        """As they are kept in rows of the database: video, first frame, the frame after the last."""
        return [(span.video, span.start, span.stop) for span in self.all]

    def of(self, video: int) -> list[Span]:
        """Those of a video."""
        return [span for span in self.all if span.video == video]

    def cover(self, video: int, frames: np.ndarray) -> np.ndarray:
        """``(F,)`` bool: which of ``(F,)`` frames of a video they hold."""
        covered = np.zeros(len(frames), dtype=bool)
        for span in self.of(video):
            covered |= (frames >= span.start) & (frames < span.stop)
        return covered
