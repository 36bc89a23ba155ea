"""Estimates as the API takes them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.runs.schemas import Frame, TrackId

CheckpointId = Annotated[int, Field(ge=1, le=2**53)]


class EstimateIn(BaseModel):
    """Whose poses to look for, and with what.

    Args:
        checkpoint_id: The checkpoint; the project's promoted one where left out.
        tracks: Only these tracks; all that have a pose somewhere where left out. One track alone may have none: its
            subject is then looked for on whole frames.
        start: First frame.
        stop: Frame after the last.
    """

    model_config = ConfigDict(extra="forbid")

    checkpoint_id: CheckpointId | None = None
    tracks: list[TrackId] | None = Field(default=None, min_length=1, max_length=10_000)
    start: Frame = 0
    stop: Frame | None = None
