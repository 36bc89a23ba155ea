"""Videos as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["ingesting", "ready", "degraded", "rejected"]


class StreamOut(BaseModel):
    """Which video stream of the file was taken.

    ``index`` counts its video streams, as in ffmpeg's ``-map 0:v:INDEX``, ``of`` is how many there are, cover pictures
    among them. ``reason`` is ``only`` (one that moves), ``default`` (marked so) or ``largest``.
    """

    index: int
    of: int
    reason: Literal["only", "default", "largest"]


class TimesOut(BaseModel):
    """When each frame is shown, in seconds from the first."""

    times: list[float]


class ShareOut(BaseModel):
    """How much of a video is done, in poses: there are ``poses`` in all, one for each frame and track.

    ``labelled`` are those that people gave a place, or said not to be there; ``reviewed`` a machine's that people
    accepted; ``propagated`` a machine's that nobody has judged yet. Of the rest nothing is known, or it was rejected.
    ``current`` is false where labels, runs or reviews have changed since these were counted: they are counted again,
    ask for them in a second or later.
    """

    poses: int
    labelled: int
    reviewed: int
    propagated: int
    current: bool


class VideoOut(BaseModel):
    """A video. Its frames are numbered from 0 in presentation order; sizes are of the displayed frame.

    ``degraded`` means that not all of it could be read: only the frames up to ``num_frames``, or not those of the
    ranges ``damaged`` (``start <= i < stop``), which show the last good picture and are never learnt from; ``rejected``
    that no frame could be read. ``reason`` says why. ``variable_rate`` says that frames are not evenly spaced, so that
    ``index / fps`` is not when a frame is shown (null for videos that were read before this was looked at).
    ``share`` tells how much of it is done; it is null until that was counted for the first time, which asking for the
    video has done. ``deleted_at`` and ``restore_until`` are of one in the trash.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    project_id: int
    filename: str
    slug: str
    status: Status
    reason: str | None
    num_frames: int | None
    width: int | None
    height: int | None
    fps: float | None
    duration: float | None
    damaged: list[tuple[int, int]]
    variable_rate: bool | None
    stream: StreamOut | None
    sha256: str
    size: int
    revision: int
    share: ShareOut | None
    ingest_job_id: int | None
    created_at: datetime
    deleted_at: datetime | None
    restore_until: datetime | None
