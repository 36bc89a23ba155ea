"""Training clips without end, rendered ahead by worker processes, in an order that depends on the seed alone."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count

import cv2
import numpy as np

from models.pretraining.clips import Clip, Films, clips

_SHUFFLE = 0x5817


@dataclass(frozen=True)
class Position:
    """The position of a stream.

    Args:
        group: The group of scenes.
        used: Clips of the group that were given.
    """

    group: int = 0
    used: int = 0


def stream(
    seed: int,
    begin: Position,
    *,
    workers: int = 1,
    group: int = 8,
    clips_per_scene: int = 10,
    footage: Films | None = None,
) -> Iterator[tuple[Clip, Position]]:
    """Clips from a position on, each with the position after it.

    Args:
        seed: Of the training.
        begin: Where to go on.
        workers: Processes that render.
        group: Clips are shuffled within the clips of this many scenes.
        clips_per_scene: Cut from each scene.
        footage: See ``models.pretraining.clips.clips``.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=cv2.setNumThreads, initargs=(1,))
    try:
        numbers = count(begin.group * group)
        waiting: deque[Future[list[Clip]]] = deque()
        skip = begin.used
        for number in count(begin.group):
            while len(waiting) < 2 * group:
                waiting.append(pool.submit(render, seed, next(numbers), clips_per_scene, footage))
            together = [clip for _ in range(group) for clip in waiting.popleft().result()]
            order = np.random.default_rng((seed, number, _SHUFFLE)).permutation(len(together))
            for used, index in enumerate(order[skip:], start=skip + 1):
                yield together[index], Position(number, used)
            skip = 0
    finally:
        pool.shutdown(cancel_futures=True)


def render(seed: int, number: int, count: int, footage: Films | None = None) -> list[Clip]:
    """The clips of one scene."""
    return list(clips(seed, number, count, footage=footage))
