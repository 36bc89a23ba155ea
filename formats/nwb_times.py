"""Which frame of its video a sample of an NWB file is on, by their times."""

from __future__ import annotations

import numpy as np

from formats.dataset import MAX_FRAMES
from formats.errors import FormatError, refuse
from formats.hdf5 import Hdf5

#: Frames that a time may be beside one.
_SURE = 0.25

#: What a video's rate may be wrong by, such as 30 for 29.97, as a share.
_DRIFT = 0.01


def frames_of(file: Hdf5, series: str, video: str) -> np.ndarray:
    """``(F,)`` the frame of each sample.

    Times count from the beginning of the linked video, in its frames where it says their rate or times; else in
    samples, which are then as far apart as frames. Without a video they count from the beginning of the session.

    Args:
        file: The file.
        series: Where the samples are.
        video: Where the linked video is; nothing is there where none is linked.

    Raises:
        FormatError: They are on no frames.
    """
    times, own_step, place = _times(file, series)
    begin, step, stamps = _clock(file, video)
    if not len(times):
        return np.zeros(0, dtype=np.int64)
    if stamps is not None:
        frames = _nearest(stamps, times)
        if not (np.abs(times - stamps[frames]) < _SURE * np.median(np.diff(stamps))).all():
            raise _nowhere(file, series)
        jumps = np.diff(frames).astype(np.float64)
    else:
        steps = np.diff(times) / (step or own_step)
        jumps = np.round(steps)
        if not (np.abs(steps - jumps) < _SURE).all():
            raise refuse(file.path, place, "the times do not tell which frame a sample is")
        exact = (times - begin) / (step or own_step)
        frames = np.round(exact[0]) + np.concatenate([[0.0], np.cumsum(jumps)])
        off = np.abs(exact - frames)
        if not off[0] < _SURE or (step and not (off < _SURE + _DRIFT * np.abs(frames)).all()):
            raise _nowhere(file, series)
    if not (jumps > 0).all():
        raise refuse(file.path, place, "the times do not tell which frame a sample is")
    if not 0 <= frames[0] <= frames[-1] < MAX_FRAMES:
        raise _nowhere(file, series)
    return np.asarray(frames, dtype=np.int64)


def _times(file: Hdf5, series: str) -> tuple[np.ndarray, float, str]:
    """``(F,)`` seconds, how far apart samples are, and where that is said."""
    count = len(file.array(file.target(f"{series}/data")))
    place = file.target(f"{series}/timestamps")
    if not file.has(place):
        start, step = _start(file, series)
        return start + np.arange(count) * step, step, series
    times = file.array(place).astype(np.float64)
    step = float(np.median(np.diff(times))) if times.size > 1 else 1.0
    if times.shape != (count,) or not step > 0:
        raise refuse(file.path, place, "the times do not tell which frame a sample is")
    return times, step, place


def _clock(file: Hdf5, video: str) -> tuple[float, float | None, np.ndarray | None]:
    """When a video begins, the seconds of a frame, and ``(V,)`` the times of its frames; None where it does not say."""
    place = file.target(f"{video}/timestamps")
    if file.has(place):
        stamps = file.array(place).astype(np.float64).reshape(-1)
        if not len(stamps) or not np.isfinite(stamps).all() or not (np.diff(stamps) > 0).all():
            raise refuse(file.path, place, "the times of a video's frames follow one another")
        return float(stamps[0]), None, stamps if len(stamps) > 1 else None
    if file.has(f"{video}/starting_time"):
        start, step = _start(file, video)
        return start, step, None
    return 0.0, None, None


def _nearest(stamps: np.ndarray, times: np.ndarray) -> np.ndarray:
    """``(F,)`` the places of the nearest of two or more times that follow one another."""
    right = np.clip(np.searchsorted(stamps, times), 1, len(stamps) - 1)
    nearer = np.abs(times - stamps[right - 1]) <= np.abs(times - stamps[right])
    return np.where(nearer, right - 1, right)


def _start(file: Hdf5, series: str) -> tuple[float, float]:
    """When a series begins, and how far apart its samples are, in seconds."""
    start = file.array(f"{series}/starting_time").reshape(-1)
    rate = file.attribute(f"{series}/starting_time", "rate")
    said = len(start) == 1 and start.dtype.kind in "fiu" and isinstance(rate, np.number | float | int)
    if not said or not 0 < float(rate) < np.inf or not np.isfinite(start[0]):
        raise _nowhere(file, series)
    return float(start[0]), 1 / float(rate)


def _nowhere(file: Hdf5, series: str) -> FormatError:
    return refuse(file.path, series, "its samples are on no frames of a video")
