"""Deletions as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

Kind = Literal["video", "project", "lab"]


class Rests(BaseModel):
    """What was made from something, beside what is in it."""

    exports: list[int] = Field(description="Exports with poses or frames of it: hidden, restored and erased with it")
    checkpoints: list[int] = Field(
        description="Estimators that learnt from it, or go on from one that did. They stay, marked `rests_on_deleted`;"
        " their reports, which show frames, are erased with it"
    )
    runs: list[int] = Field(description="Poses that these estimators saw in other videos. They stay, marked likewise")


class Deletion(Rests):
    """Something that was deleted. It is hidden, and can be restored until ``restore_until``.

    Where that is null it is being erased: nothing brings it back.
    """

    kind: Kind
    id: int
    deleted_at: datetime
    restore_until: datetime | None
    cancelled_jobs: list[int] = Field(description="What was under way, or waited, and is not done any more")
    ended_uploads: int = Field(description="Uploads in pieces to it that had begun")


class RestsOnDeleted(BaseModel):
    """What something was made from that was deleted since."""

    videos: list[int] = []
    checkpoints: list[int] = Field(default=[], description="Estimators that are gone; what they learnt from is unknown")
