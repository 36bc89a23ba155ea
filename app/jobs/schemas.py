"""Jobs as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]


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
