"""Keys as the API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from app.keys.service import Role
from app.names import Name


class KeyIn(BaseModel):
    """A key to be made."""

    name: Name
    role: Role = Role.ANNOTATOR
    expires_at: AwareDatetime | None = None


class KeyOut(BaseModel):
    """A key without its secret."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class NewKeyOut(KeyOut):
    """A key with its text, shown this once."""

    key: str


class Me(BaseModel):
    """Who the caller is. Without authentication there is no key; with a key in every request, no session."""

    lab_id: int
    lab_name: str
    key_id: int | None
    key_name: str | None
    role: Role
    operator: bool
    session_expires_at: datetime | None
