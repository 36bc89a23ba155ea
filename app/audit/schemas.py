"""The audit trail as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

Kind = Literal[
    "lab.create",
    "lab.delete",
    "lab.restore",
    "lab.erase",
    "key.create",
    "key.revoke",
    "session.offer",
    "session.open",
    "session.close",
    "project.create",
    "project.change",
    "project.delete",
    "project.restore",
    "project.erase",
    "upload.start",
    "upload.cancel",
    "video.upload",
    "video.download",
    "video.delete",
    "video.restore",
    "video.erase",
    "track.create",
    "track.rename",
    "track.delete",
    "track.swap",
    "track.merge",
    "track.split",
    "labels.write",
    "labels.delete",
    "labels.import",
    "labels.undo",
    "propagation.start",
    "review.accept",
    "review.reject",
    "review.undo",
    "run.hide",
    "run.restore",
    "run.download",
    "export.start",
    "export.download",
    "training.start",
    "checkpoint.promote",
    "checkpoint.download",
    "estimate.start",
    "job.cancel",
]

Via = Literal["key", "session", "operator"]


class EntryOut(BaseModel):
    """One thing somebody did.

    ``via`` says how they came in: with a key, with a browser session opened by that key, or as the operator of the
    installation (the command line, authentication turned off), who has no key of the lab.
    """

    id: int
    at: datetime
    kind: str
    via: Via
    key_id: int | None
    key_name: str | None
    project_id: int | None
    video_id: int | None
    details: dict[str, Any]
