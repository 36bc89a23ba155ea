"""Frame sources: frames in memory, the cache of recent frames, and parts of a video."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from pose.frames import InMemoryFrames, RecentFrames, Shot


class Counting(InMemoryFrames):
    """Footage that counts the frames that were read."""

    read = 0
    key = "video"

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for frame in super().frames(start, stop, gray=gray):
            type(self).read += 1
            yield frame


def counting(count: int, height: int = 12, width: int = 16) -> Counting:
    Counting.read = 0
    return Counting(np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


def test_recent_frames_are_decoded_once() -> None:
    footage = counting(20)
    recent = RecentFrames(footage)
    first, again = (np.stack(list(recent.frames(3, 15, gray=True))) for _ in range(2))
    assert np.array_equal(first, again)
    assert footage.read == 12
    list(recent.frames(10, 18, gray=True))
    assert footage.read == 15


def test_recent_frames_keep_no_more_than_allowed() -> None:
    footage = counting(20)
    recent = RecentFrames(footage, max_bytes=3 * 12 * 16)
    list(recent.frames(0, 10, gray=True))
    list(recent.frames(7, 10, gray=True))
    assert footage.read == 10
    list(recent.frames(0, 3, gray=True))
    assert footage.read == 13


def test_recent_frames_are_those_of_the_video() -> None:
    footage = counting(5)
    recent = RecentFrames(footage)
    assert (recent.key, recent.num_frames, recent.width, recent.height) == ("video", 5, 16, 12)
    assert np.array_equal(np.stack([*recent.frames()]), footage.images)
    assert np.array_equal(next(recent.frames(2, 3, gray=True)), cv2.cvtColor(footage.images[2], cv2.COLOR_RGB2GRAY))


def test_a_shot_counts_from_its_first_frame() -> None:
    footage = counting(9)
    shot = Shot(footage, 4, 7)
    assert (shot.key, shot.num_frames, shot.width, shot.height) == ("video from 4", 3, 16, 12)
    assert np.array_equal(np.stack([*shot.frames()]), footage.images[4:7])
    assert np.array_equal(np.stack([*shot.frames(1, 2)]), footage.images[5:6])
    assert Shot(InMemoryFrames(footage.images), 4, 7).key is None
