"""Batches in an order that depends on seed and epoch alone, made ahead by threads while the network learns."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from models.training.augmentation import Augmentation
from models.training.clips import Batch, Clips, Example, stack

_AHEAD = 3  # batches
_ORDER, _CHANGES = 0x0DE2, 0xC4A6


class Batches:
    """The batches of one epoch; a context manager that is gone through once.

    OpenCV lets go of the interpreter while it cuts out, so that threads do.

    Args:
        clips: All.
        size: Clips in a batch; the last is smaller where they do not divide.
        count: Clips in the epoch; where there are fewer they come again, changed in another way, and where there are
            more the next epochs have others. 0 for each once.
        seed: Of the training.
        epoch: Its number.
        augmentation: How clips are changed; ``None`` leaves them as they are, and in order.
        workers: Threads.
        part: Of how many processes this one takes which share of the clips: its number and their count.

    Attributes:
        waiting: Seconds that were spent waiting for a batch.
    """

    def __init__(
        self,
        clips: Clips,
        size: int,
        *,
        count: int = 0,
        seed: int = 0,
        epoch: int = 0,
        augmentation: Augmentation | None = None,
        workers: int = 1,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self._clips, self._key, self._augmentation = clips, (seed, epoch), augmentation
        order = np.arange(len(clips))
        if augmentation is not None:
            rng = np.random.default_rng((seed, epoch, _ORDER))
            turns = -(-(count or len(order)) // max(1, len(order)))
            order = np.concatenate([rng.permutation(order) for _ in range(turns)])[: count or None]
        number, parts = part
        # Every process takes as many steps: what does not divide begins again at the front.
        shared = np.resize(order, -(-len(order) // parts) * parts)
        places = np.arange(number, len(shared), parts)
        self._parts = [
            [(int(shared[place]), int(place)) for place in places[at : at + size]] for at in range(0, len(places), size)
        ]
        self._workers = workers
        self.waiting = 0.0

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        with ThreadPoolExecutor(self._workers) as pool:
            ahead: deque[Future[Batch]] = deque()
            parts = iter(self._parts)
            try:
                while True:
                    while len(ahead) < _AHEAD and (part := next(parts, None)) is not None:
                        ahead.append(pool.submit(self._make, part))
                    if not ahead:
                        return
                    began = time.perf_counter()
                    batch = ahead.popleft().result()
                    self.waiting += time.perf_counter() - began
                    yield batch
            finally:
                for future in ahead:
                    future.cancel()

    def _make(self, part: list[tuple[int, int]]) -> Batch:
        return stack([self._one(index, place) for index, place in part])

    def _one(self, index: int, place: int) -> Example:
        rng = np.random.default_rng((*self._key, place, _CHANGES)) if self._augmentation is not None else None
        return self._clips.get(index, self._augmentation, rng)
