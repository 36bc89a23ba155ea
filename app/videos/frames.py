"""Single frames of a proxy as images: readers stay open between requests, each used by one request at a time."""

from __future__ import annotations

import threading
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
    """The proxies that were read last, kept open: more than once where several people look at the same video.

    Args:
        storage: Where proxies are.
        limit: How many are open at a time. Who comes while all of them are being read waits for one.
    """

    def __init__(self, storage: Storage, limit: int) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._free = threading.Semaphore(limit)
        # A place for each reader that nobody uses: empty ones first, then by when they were used last.
        self._places: list[tuple[str, Video] | None] = [None] * limit

    @contextmanager
    def open(self, proxy_sha256: str, table_sha256: str) -> Iterator[Video]:
        """A proxy for the length of a block."""
        with self._free:
            video = self._take(proxy_sha256)
            sound = False
            try:
                if video is None:
                    table = FrameTable.from_bytes(self._storage.get(table_sha256))
                    video = Video(self._storage.file(proxy_sha256), table)
                yield video
                sound = True
            finally:
                self._give_back(proxy_sha256, video, sound=sound)

    def close(self) -> None:
        """Close every proxy."""
        with self._lock:
            for place in self._places:
                if place is not None:
                    place[1].close()
            self._places = [None] * len(self._places)

    def _take(self, proxy_sha256: str) -> Video | None:
        with self._lock:
            same = [index for index, place in enumerate(self._places) if place is not None and place[0] == proxy_sha256]
            place = self._places.pop(same[-1] if same else 0)
        if place is None or same:
            return place and place[1]
        place[1].close()
        return None

    def _give_back(self, proxy_sha256: str, video: Video | None, *, sound: bool) -> None:
        if video is not None and not sound:
            video.close()
        with self._lock:
            if video is not None and sound:
                self._places.append((proxy_sha256, video))
            else:
                self._places.insert(0, None)


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
