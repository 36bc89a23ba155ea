"""Projects and skeletons as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from app.names import Name
from pose.skeleton import MAX_KEYPOINTS, Skeleton, SkeletonError

Pair = tuple[int, int]


class SkeletonSchema(BaseModel):
    """Named keypoints, with 0-based index pairs over them.

    ``retired`` names keypoints that keep their place and labels, and are in no export and no training.
    """

    name: Name
    keypoints: list[Name] = Field(min_length=1, max_length=MAX_KEYPOINTS)
    edges: list[Pair] = Field(default=[], max_length=10_000)
    swap: list[Pair] = Field(default=[], max_length=MAX_KEYPOINTS)
    sigmas: list[Annotated[float, Field(gt=0, allow_inf_nan=False)]] | None = None
    retired: list[Name] = Field(default=[], max_length=MAX_KEYPOINTS)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            self.skeleton()
        except SkeletonError as error:
            raise PydanticCustomError("skeleton", "{why}", {"pointer": error.pointer, "why": str(error)}) from error
        return self

    def skeleton(self) -> Skeleton:
        """The skeleton described here."""
        return Skeleton(
            name=self.name,
            keypoints=tuple(self.keypoints),
            edges=tuple(self.edges),
            swap=tuple(self.swap),
            sigmas=tuple(self.sigmas or ()),
            retired=tuple(self.retired),
        )


class ProjectIn(BaseModel):
    """A project to be made."""

    name: Name
    skeleton: SkeletonSchema


class ProjectPatch(BaseModel):
    """What to change of a project.

    Args:
        name: Its name.
        skeleton: Its skeleton: keypoints renamed in place, added at the end, or removed from the end where they were
            never labelled; while nothing at all is labelled, from anywhere. Where ``retired`` is left out, what is
            retired stays so.
        retired: Which keypoints are retired, all others being not, without saying the skeleton again.
    """

    name: Name | None = None
    skeleton: SkeletonSchema | None = None
    retired: list[Name] | None = Field(default=None, max_length=MAX_KEYPOINTS)


class ProjectOut(BaseModel):
    """A project."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    skeleton: SkeletonSchema
    skeleton_version: int
    created_at: datetime
    deleted_at: datetime | None = None
    restore_until: datetime | None = None
