"""Lanes: each queue is parted into jobs that are done in seconds and jobs that take long.

A worker that does only quick jobs is never kept by a long one, so that what is quick starts at once. Which lane a job
is in is settled when it is queued, by what it is expected to take on two cores without a GPU. The rates are what
``benchmarks/results`` has for 720p, less what a busy machine takes. A job that takes longer is done all the same.
"""

from __future__ import annotations

from app.settings import CPU, GPU, QUICK

#: What is expected to take no longer is quick.
QUICK_SECONDS = 15.0

_LINEAR, _FLOW, _STDPOSE = 5000.0, 100.0, 30.0  # frames of one track, a second
_ENGINES = {"linear": _LINEAR, "flow": _FLOW, "stdpose": _STDPOSE, "auto": _FLOW}  # which auto is unless it is fitted
_ESTIMATED = 100.0  # frames of one track, a second
_PACKED = 20_000.0
_EXPORTED, _PICTURES = 5000.0, 30.0  # frames a second
_INGESTED_BYTES = 2e6  # a second


def of_propagation(engine: str, frames: float, *, adapt: bool) -> str:
    """The queue of a propagation.

    Args:
        engine: By its name.
        frames: How many frames, once for each track.
        adapt: Whether the engine is fitted to the video first, which takes long.
    """
    return GPU if adapt else _queue(GPU, frames / _ENGINES.get(engine, _STDPOSE))


def of_estimate(frames: float) -> str:
    """The queue of an estimate of so many frames, counted once for each track."""
    return _queue(GPU, frames / _ESTIMATED)


def of_ingest(size: int) -> str:
    """The queue of the ingest of a file of so many bytes; how many frames it has is not known yet."""
    return _queue(CPU, size / _INGESTED_BYTES)


def of_packing(frames: float) -> str:
    """The queue of the packing of a run of so many frames, counted once for each track."""
    return _queue(CPU, frames / _PACKED)


def of_export(frames: int, *, images: bool) -> str:
    """The queue of an export of videos of so many frames, with their pictures or without."""
    return _queue(CPU, frames / (_PICTURES if images else _EXPORTED))


def _queue(queue: str, seconds: float) -> str:
    return QUICK[queue] if seconds <= QUICK_SECONDS else queue
