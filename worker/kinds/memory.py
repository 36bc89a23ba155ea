"""Doing with the memory there is: where it runs out, the same work in smaller steps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from models.compute.memory import ran_out
from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.propagate import propagate_segment
from models.registry import adaptable
from pose.frames import FrameSource
from pose.segments import Segment
from pose.track import Track
from worker.context import TooLittleMemory

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class OomRetry:
    """An engine that takes smaller steps from the moment on at which memory ran out.

    Args:
        engine: The engine.
        told: Hears each time that memory ran out, in a sentence.
    """

    def __init__(self, engine: Engine, told: Callable[[str], None] | None = None) -> None:
        self._engine = engine
        self._told = told

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment, cuts: Cuts) -> Track:
        """See ``models.propagate.propagate_segment``.

        Raises:
            TooLittleMemory: The steps cannot be smaller.
        """
        while True:
            try:
                return propagate_segment(self._engine, video, keyframes, segment, cuts)
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
                reason = _reason(error)
            # Out here the frames that the exception held are free.
            if not (adaptable(self._engine) and self._engine.reduce_memory()):
                raise _too_little(segment, reason)
            _note(self._told, reason)


class OomRetryBatches:
    """A size of batches that is halved from the moment on at which memory ran out.

    Args:
        size: To begin with.
        told: Hears each time that memory ran out, in a sentence.
    """

    def __init__(self, size: int, told: Callable[[str], None] | None = None) -> None:
        self._size = size
        self._told = told

    def run(self, compute: Callable[[int], Result], segment: Segment) -> Result:
        """Compute something in batches of as many as memory has room for.

        Args:
            compute: Is told the size of a batch.
            segment: What is computed, for people.

        Raises:
            TooLittleMemory: There is not even room for batches of one.
        """
        while True:
            try:
                return compute(self._size)
            except (MemoryError, RuntimeError) as error:
                if not ran_out(error):
                    raise
                reason = _reason(error)
            if self._size == 1:
                raise _too_little(segment, reason)
            self._size //= 2
            _note(self._told, reason)


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _too_little(segment: Segment, reason: str) -> TooLittleMemory:
    return TooLittleMemory(
        f"this worker has too little memory for frames {segment.start} to {segment.stop - 1}, "
        f"even in the smallest steps; a worker with more memory, or a smaller video, would do ({reason})"
    )


def _note(told: Callable[[str], None] | None, reason: str) -> None:
    sentence = f"out of memory ({reason}): going on in smaller steps"
    log.warning("%s", sentence)
    if told is not None:
        told(sentence)
