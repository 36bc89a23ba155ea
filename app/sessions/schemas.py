"""Sessions as the API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class SessionOut(BaseModel):
    """A session that was opened. What opens the door is in the cookie alone, which no script can read."""

    expires_at: datetime
