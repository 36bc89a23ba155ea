"""Reviews as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Frame = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[int, Field(ge=1, le=2**53)]

#: Most keypoints that a review names.
MAX_POINTS = 4096


class ReviewIn(BaseModel):
    """A verdict on a machine's poses on the frames ``start <= frame < stop``.

    Args:
        start: First frame.
        stop: Frame after the last.
        track_id: Of this track alone; of all where left out.
        keypoints: Of these alone, counted from 0; of all where left out.
        verdict: ``accept``: they are right. ``reject``: they are wrong.
        max_radius90: Accept only what is within so many pixels in 90 % of the cases, by the machine's own account; it
            is the bound that the review states. Where left out that is the largest radius of what is accepted.
        run_id: The newest run that was looked at: what a later one shows there is not judged.
    """

    model_config = ConfigDict(extra="forbid")

    start: Frame
    stop: Frame
    track_id: Number | None = None
    keypoints: list[Frame] | None = Field(default=None, min_length=1, max_length=MAX_POINTS)
    verdict: Literal["accept", "reject"]
    max_radius90: float | None = Field(default=None, gt=0, le=100_000, allow_inf_nan=False)
    run_id: Number | None = None


class Outdated(BaseModel):
    """Frames ``start <= frame < stop`` of a track on which a review does not count any more.

    ``reason`` is ``run`` where other poses are seen there by now than those that were looked at: those of a newer run,
    or of an earlier one since theirs was hidden. It is ``labels`` where labels were moved or taken back on which they
    rest.
    """

    track_id: int
    start: int
    stop: int
    reason: Literal["run", "labels"]


class ReviewOut(BaseModel):
    """One act of reviewing, by which key and when.

    ``verdict`` is ``undo`` for an act that takes back the act ``undoes``; ``undone`` tells that this one was taken
    back. ``radius90`` is the error bound that it states, in pixels: 90 % of the accepted points are within it. None
    where nothing is accepted, or the machine does not say how sure it is. ``basis`` names what radii were read by when
    it was made, and are whenever it is looked up: the calibration of that moment, or null for those that engines gave.
    """

    id: int
    verdict: Literal["accept", "reject", "undo"]
    undoes: int | None
    undone: bool
    start: int
    stop: int
    track_id: int | None
    keypoints: list[int] | None
    max_radius90: float | None
    radius90: float | None
    basis: str | None
    outdated: list[Outdated]
    key_id: int | None
    created_at: datetime


class Reviewed(ReviewOut):
    """A review that was just made.

    ``poses`` are judged by it; of ``left_out`` ones no point is: they are a person's, rest on labels that do not stand
    any more, are on damaged frames, or none of their points is within ``max_radius90``. Both are None where there are
    too many to count.
    """

    poses: int | None
    left_out: int | None
