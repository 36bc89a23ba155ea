"""Uploads as the API shows them; most of what tus says is in headers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class UploadOut(BaseModel):
    """An upload that has begun. ``length`` is null while the client has not said it."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    project_id: int
    filename: str
    length: int | None
    created_at: datetime
