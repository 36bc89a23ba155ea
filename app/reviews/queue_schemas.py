"""The review queue as the API shows it."""

from __future__ import annotations

from msgspec import Struct

from app.labels.schemas import LabelOut, RadiusState


class Suggestion(Struct):
    """A pose that is worth a look.

    ``reason`` says why, in words. ``predicted_gain`` is how much a label there would help the frames around it, null as
    long as that is not known. ``keypoint``, counted from 0, is the worst one, with its ``score`` and ``radius90`` in
    pixels. ``radius90_state`` tells what these rest on (``prior``: as the engine gave them, ``provisional``,
    ``calibrated``), ``radius90_keyframes`` by how many labels of the video that were hidden from the engine.
    """

    video_id: int
    frame_index: int
    track_id: int
    reason: str
    predicted_gain: float | None
    keypoint: int
    score: float
    radius90: float
    radius90_state: RadiusState
    radius90_keyframes: int
    pose: LabelOut


class Queue(Struct):
    """Some suggestions, most useful first.

    ``waiting`` are those of the videos that were looked at for this answer, up to 10 000 of each.
    """

    items: list[Suggestion]
    next_cursor: str | None
    waiting: int
