"""Videos as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["ingesting", "ready", "degraded", "rejected"]


class VideoOut(BaseModel):
    """A video. Its frames are numbered from 0 in presentation order; sizes are of the displayed frame.

    ``degraded`` means that only the frames up to ``num_frames`` could be read, ``rejected`` that none could; ``reason``
    says why.
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
    sha256: str
    size: int
    revision: int
    ingest_job_id: int | None
    created_at: datetime
