"""Single frames of a proxy as images: readers stay open between requests, each used by one request at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import cv2
import numpy as np

from app.storage import Storage
from pose.frame_table import FrameTable
from pose.video import Video

Format = Literal["jpeg", "png", "webp"]

_ENCODERS: dict[str, tuple[str, list[int]]] = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 90]),
}


class FrameReaders:
    """The proxies that were read last, kept open.

    Args:
        storage: Where proxies are.
        limit: How many to keep open.
    """

    def __init__(self, storage: Storage, limit: int) -> None:
        self._storage = storage
        self._limit = limit
        self._lock = threading.Lock()
        self._idle: OrderedDict[str, Video] = OrderedDict()

    @contextmanager
    def open(self, proxy_sha256: str, table_sha256: str) -> Iterator[Video]:
        """A proxy for the length of a block."""
        with self._lock:
            video = self._idle.pop(proxy_sha256, None)
        if video is None:
            table = FrameTable.from_bytes(self._storage.get(table_sha256))
            video = Video(self._storage.file(proxy_sha256), table)
        try:
            yield video
        except BaseException:
            video.close()
            raise
        self._give_back(proxy_sha256, video)

    def close(self) -> None:
        """Close every proxy."""
        with self._lock:
            while self._idle:
                self._idle.popitem()[1].close()

    def _give_back(self, proxy_sha256: str, video: Video) -> None:
        with self._lock:
            surplus = [self._idle.pop(proxy_sha256, None)]
            self._idle[proxy_sha256] = video
            while len(self._idle) > self._limit:
                surplus.append(self._idle.popitem(last=False)[1])
        for other in surplus:
            if other is not None:
                other.close()


def encode(frame: np.ndarray, image_format: Format, width: int | None) -> bytes:
    """A frame as an image file.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB.
        image_format: Kind of file.
        width: Pixels to shrink to, keeping the aspect; None or more than the frame has: as it is.
    """
    height, full_width = frame.shape[:2]
    if width is not None and width < full_width:
        size = (width, max(1, round(height * width / full_width)))
        frame = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    suffix, options = _ENCODERS[image_format]
    _, data = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
    return data.tobytes()
