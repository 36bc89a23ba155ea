"""Labs as the API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from app.keys.schemas import NewKeyOut
from app.names import Name


class LabIn(BaseModel):
    """A lab to be made."""

    name: Name


class LabOut(BaseModel):
    """A lab. The operator's is the one that looks after the installation."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    operator: bool
    created_at: datetime
    deleted_at: datetime | None = None
    restore_until: datetime | None = None


class NewLabOut(LabOut):
    """A lab with its first key, an admin's, whose text is shown this once."""

    key: NewKeyOut


class LabUsage(LabOut):
    """A lab, how much it has and how much it may have; null where there is no limit."""

    stored_bytes: int = Field(
        description="Videos, their proxies and exports, those too that are deleted and not erased"
    )
    promised_bytes: int = Field(description="What uploads in pieces that have begun will bring; it counts too")
    max_stored_bytes: int | None
    queued_jobs: int = Field(description="Propagations and exports that wait for a worker")
    max_queued_jobs: int | None
