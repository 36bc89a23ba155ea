"""Tracks as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.labels.schemas import Written
from app.names import Name

TrackId = Annotated[int, Field(ge=1, le=2**53)]
Frame = Annotated[int, Field(ge=0, le=2**53)]


class TrackIn(BaseModel):
    """A track to be made."""

    name: Name


class TrackPatch(BaseModel):
    """What to change of a track."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class SwapIn(BaseModel):
    """Two tracks whose labels change places on the frames ``start <= frame < stop``; on all where left out."""

    model_config = ConfigDict(extra="forbid")

    a: TrackId
    b: TrackId
    start: Frame | None = None
    stop: Frame | None = None


class MergeIn(BaseModel):
    """A track whose labels become another's.

    Args:
        from_: Whose labels move. Where all may move, because no frames are named, the track is deleted.
        into: Where to.
        start: First frame; the video's first where left out.
        stop: Frame after the last; the video's end where left out.
        prefer: Whose pose stands on a frame on which both are labelled and differ: ``from``, ``into``, or one of the
            two ids. Where left out such frames are a conflict, and nothing is written.
    """

    model_config = ConfigDict(extra="forbid")

    from_: TrackId = Field(alias="from")
    into: TrackId
    start: Frame | None = None
    stop: Frame | None = None
    prefer: Literal["from", "into"] | TrackId | None = None


class SplitIn(BaseModel):
    """A track whose labels from a frame on become those of a new track.

    Args:
        track: Which track.
        start: The new track's first frame.
        name: The new track's name; ``track N`` where left out.
    """

    model_config = ConfigDict(extra="forbid")

    track: TrackId
    start: Frame
    name: Name | None = None


class TrackOut(BaseModel):
    """One subject of a video. Its id counts from 1 within the video and is the ``track_id`` of COCO files."""

    id: int
    name: str
    deleted: bool
    created_at: datetime


class TrackWritten(TrackOut, Written):
    """A track that a revision of the labels made or changed."""
