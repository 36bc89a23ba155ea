"""Tracks as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from app.projects.schemas import Name


class TrackIn(BaseModel):
    """A track to be made."""

    name: Name


class TrackOut(BaseModel):
    """One subject of a video. Its id counts from 1 within the video and is the ``track_id`` of COCO files."""

    id: int
    name: str
    created_at: datetime
