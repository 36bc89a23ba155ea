"""Trainings as the API takes them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.labels.schemas import Source

Estimator = Literal["stdpose", "focused_regions", "cmpose", "jmpose", "single_frame"]
Preset = Literal["tiny", "small", "base", "large", "huge"]
RowId = Annotated[int, Field(ge=1, le=2**53)]


class TrainingIn(BaseModel):
    """What to train, and on what.

    Args:
        estimator: Which network; that of the base checkpoint where left out, else ``stdpose``.
        preset: Its size; that of the base checkpoint where left out, else ``tiny``.
        backbone: Weights that the network begins with: a folder among the backbones of the workers, ``shipped`` for
            those of the package, ``random``. Where left out, ``shipped`` for ``tiny``, else the folder of the preset's
            name.
        base_checkpoint_id: Checkpoint to go on from, or, where it is of another estimator, whose backbone and head to
            begin with; the weights of ``backbone`` where left out.
        epochs: Passes over the labels at most; a training that no longer gets better ends earlier.
        batch: Clips of a step.
        rate: Peak learning rate.
        seed: Everything random follows from it.
        minutes: Where positive it ends by the clock instead, however many epochs that takes.
        patience: Epochs without getting better after which it ends; 0 for any number.
        include: Whose poses are learnt: people's, a machine's that people accepted, a machine's.
        pseudo_weight: How much a machine's pose counts beside a person's, times its probability of being right.
        videos: Only these videos; all that can be read where left out.
    """

    model_config = ConfigDict(extra="forbid")

    estimator: Estimator | None = None
    preset: Preset | None = None
    backbone: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    base_checkpoint_id: RowId | None = None
    epochs: int = Field(default=20, ge=1, le=1000)
    batch: int = Field(default=16, ge=1, le=4096)
    rate: float = Field(default=1e-3, gt=0, le=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    minutes: float = Field(default=0, ge=0, le=31 * 24 * 60)
    patience: int = Field(default=8, ge=0, le=1000)
    include: list[Source] = Field(default=["human", "accepted", "pseudo"], min_length=1, max_length=3)
    pseudo_weight: float = Field(default=1, ge=0, le=1)
    videos: list[RowId] | None = Field(default=None, min_length=1, max_length=10_000)
