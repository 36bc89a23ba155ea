"""Checkpoints as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from app.trash.schemas import RestsOnDeleted

#: What a training leaves beside the weights, and its media type.
FILES = {
    "recipe.json": "application/json",
    "report.json": "application/json",
    "report.md": "text/markdown; charset=utf-8",
    "report.png": "image/png",
    "loss.png": "image/png",
}

FileName = Literal["recipe.json", "report.json", "report.md", "report.png", "loss.png"]


class Verdict(BaseModel):
    """What the promotion gate said.

    ``gain`` is how much lower the candidate's error is than that of checkpoint ``against``, in shares of the box
    diagonal, ``low`` to ``high`` the confidence interval of that. They were measured on ``frames`` held-out poses in
    ``blocks`` of time, of which neither has learnt. ``keypoint`` is one that gets worse, or whose pseudo-labels lie to
    one side of people's.
    """

    promoted: bool
    reason: str
    against: int | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    frames: int = 0
    blocks: int = 0
    keypoint: str | None = None


class CheckpointOut(BaseModel):
    """An estimator that a training made.

    ``metrics`` were measured on human labels that nothing was learnt from. ``epochs`` is the loss curve. ``pedigree``
    tells which videos at which label revision, which runs, held-out frames (video, first, one after the last), settings
    and code it was made from. ``promoted``: it is the one that estimates of the project use unless told otherwise.
    ``files`` are the names that ``/checkpoints/{id}/files/{name}`` knows. ``rests_on_deleted`` names what it learnt
    from, itself or through the checkpoints that it goes on from, that was deleted since.
    """

    id: int
    project_id: int
    job_id: int
    parent_id: int | None
    estimator: str
    preset: str
    skeleton_version: int
    sha256: str
    size: int
    metrics: dict[str, Any]
    epochs: list[dict[str, Any]]
    pedigree: dict[str, Any]
    verdict: Verdict
    files: list[str]
    promoted: bool
    promoted_at: datetime | None
    created_at: datetime
    rests_on_deleted: RestsOnDeleted | None
