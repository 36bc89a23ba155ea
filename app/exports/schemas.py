"""Exports as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator
from pydantic_core import PydanticCustomError

from app.jobs.schemas import State
from app.labels.schemas import Source

#: Keys of ``formats.registry.FORMATS``.
Format = Literal[
    "coco",
    "dlc",
    "dlc-predictions",
    "lightning-pose",
    "yolo",
    "cvat",
    "posetrack",
    "slp",
    "sleap-analysis",
    "posemark",
    "nwb",
    "label-studio",
]

#: Formats whose readers look for pictures at a certain place.
WITH_IMAGES = ("coco", "dlc", "lightning-pose", "yolo")

VideoId = Annotated[int, Field(ge=1, le=2**53)]


class ExportIn(BaseModel):
    """What to export.

    Args:
        format: Kind of file: COCO, or a ZIP in the format of another tool with a report of what that cannot hold
            (``docs/formats.md``).
        include: Whose points: people's, a machine's that people accepted, a machine's. Each point is of one of them.
        include_stale: Also a machine's points that rest on labels which were moved or taken back since.
        min_score: A machine's points below this score go out as not known.
        videos: Only these videos; all that can be read where left out.
        images: Whether the file is a ZIP with the frames beside the annotations; for COCO, DeepLabCut's and Lightning
            Pose's labels, and YOLO-pose.
    """

    model_config = ConfigDict(extra="forbid")

    format: Format = "coco"
    include: list[Source] = Field(default=["human", "accepted", "pseudo"], min_length=1, max_length=3)
    include_stale: StrictBool = False
    min_score: float | None = Field(default=None, ge=0, le=1)
    videos: list[VideoId] | None = Field(default=None, min_length=1, max_length=10_000)
    images: bool = False

    @model_validator(mode="after")
    def _holds_images(self) -> Self:
        if self.images and self.format not in WITH_IMAGES:
            sentence = f"an export with images is of one of the formats {', '.join(WITH_IMAGES)}"
            raise PydanticCustomError("images", "{why}", {"pointer": "/images", "why": sentence})
        return self


class ExportPreview(BaseModel):
    """What an export would hold, as its manifest would count it: nothing is written.

    ``size`` is that of its file in bytes. Where ``exact`` is false there is so much that only some of the frames were
    looked at, evenly spread: numbers of poses and frames, and the size, are then estimates. With ``images`` the size
    is an estimate always; of other formats than COCO it is that of the COCO file.
    """

    exact: bool
    videos: int
    images: int
    annotations: int
    categories: int
    left_out: int
    stale_left_out: int
    rejected_left_out: int
    size: int
    warnings: list[str]


class ExportOut(BaseModel):
    """An export: what was asked for, the labels and runs it was made from, and once done its file."""

    id: int
    project_id: int
    job_id: int
    state: State
    spec: dict[str, Any]
    snapshot: dict[str, Any]
    manifest: dict[str, Any] | None
    created_at: datetime
