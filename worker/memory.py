"""Doing with the memory there is: where it runs out, the same work in smaller steps."""

from __future__ import annotations

import logging
import sys

from prometheus_client import Counter

from models.cuts import Cuts
from models.engines.engine import Engine, FrameSource
from models.propagate import propagate_segment
from models.registry import adaptable
from pose.segments import Segment
from pose.track import Track

log = logging.getLogger(__name__)


class TooLittleMemory(Exception):
    """A segment does not fit into memory even in the smallest steps; the text is for people."""


class Sparing:
    """An engine that takes smaller steps from the moment on at which memory ran out.

    Args:
        engine: The engine.
        spared: Counts how often memory ran out.
    """

    def __init__(self, engine: Engine, spared: Counter | None = None) -> None:
        self._engine = engine
        self._spared = spared

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment, cuts: Cuts) -> Track:
        """See ``models.propagate.propagate_segment``.

        Raises:
            TooLittleMemory: The steps cannot be smaller.
        """
        while True:
            try:
                return propagate_segment(self._engine, video, keyframes, segment, cuts)
            except (MemoryError, RuntimeError) as error:
                if not _out_of_memory(error):
                    raise
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            # Out here the frames that the exception held are free.
            if not (adaptable(self._engine) and self._engine.spare()):
                raise TooLittleMemory(
                    f"this worker has too little memory for frames {segment.start} to {segment.stop - 1}, "
                    f"even in the smallest steps; a worker with more memory, or a smaller video, would do ({reason})"
                )
            if self._spared is not None:
                self._spared.inc()
            log.warning("out of memory (%s): going on in smaller steps", reason)


def _out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    # PyTorch has no error of its own for the memory of the CPU.
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
