"""Jobs as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

What = Literal[
    "queued",
    "begun",
    "stage",
    "helped",
    "warning",
    "retried",
    "returned",
    "passed_on",
    "cancelling",
    "succeeded",
    "failed",
    "cancelled",
]


class JobLineOut(BaseModel):
    """A line of a job's log.

    ``what`` happened, at which ``attempt``, to which ``worker``; ``text`` says more: what the job does from then on
    (``stage``), what went wrong (``warning``, ``retried``, ``failed``), why it was called off. Lines are numbered from
    1; of a job that did very much those in the middle are missing.
    """

    model_config = ConfigDict(from_attributes=True)

    number: int
    at: datetime
    what: What
    attempt: int
    worker: str | None
    text: str | None


class JobOut(BaseModel):
    """A job.

    ``progress`` goes from 0 to 1. ``remaining_seconds`` is how long it will still take, where that can be told while it
    runs.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    state: State
    progress: float
    stage: str
    remaining_seconds: float | None
    attempt: int
    project_id: int
    video_id: int | None
    error: str | None
    result: dict[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
