"""Parameters and results of jobs as the ledger's rows hold them.

Rows are JSON, and there are rows that older code wrote. So a field that is added has a default, which is what rows
without it mean; none is renamed. Where what a field means changes, so does the ``VERSION`` of its type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import msgspec

from app.labels.schemas import Source


class NewerRow(ValueError):
    """A row is of a version that this code does not know."""


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger as one type.

    Attributes:
        VERSION: Of what its fields mean. Rows of version 1 do not name it.
    """

    VERSION: ClassVar[int] = 1

    @classmethod
    def of(cls, row: Mapping[str, Any] | None) -> Self:
        """Read a row; what it says beyond this type is passed over.

        Raises:
            NewerRow: It is of a later version.
            msgspec.ValidationError: It lacks a field, or has something else in it.
        """
        said = {} if row is None else row
        version = said.get("version", 1)
        if version > cls.VERSION:
            raise NewerRow(f"{cls.__name__} is of version {version}; this version of Posetween knows {cls.VERSION}")
        return msgspec.convert(said, cls)

    def to_row(self) -> dict[str, Any]:
        """Write it as JSON takes it."""
        row: dict[str, Any] = msgspec.to_builtins(self)
        return row if self.VERSION == 1 else {**row, "version": self.VERSION}


class FillingParams(JobRow, frozen=True, kw_only=True):
    """Parameters of filling a run, be it by a propagation, an estimate or a file that was imported.

    Attributes:
        tracks: Numbers of the tracks that get poses, ascending.
        start: First frame.
        stop: Frame after the last.
        keyframes: The only frames whose labels count; None for all.
    """

    tracks: list[int]
    start: int
    stop: int
    keyframes: list[int] | None = None


class PropagationParams(FillingParams, frozen=True, kw_only=True):
    """Parameters of a propagation.

    Attributes:
        engine: As it was asked for, ``auto`` among others.
        adapt: Whether the engine is fitted to the video first.
        checkpoint_id: Checkpoint whose poses are candidates.
        corrects_run_id: Run that was looked at when the labels were corrected.
        stage: 1 or 2 where the propagation has two, see ``app.runs.stages``; the row says nothing of it elsewhere.
        other_run_id: Run of the other stage.
        after: Job that has to succeed before a second stage begins, see ``app.jobs.held``.
        then: Queue into which it goes then.
    """

    engine: str
    adapt: bool = False
    checkpoint_id: int | None = None
    corrects_run_id: int | msgspec.UnsetType | None = msgspec.UNSET
    stage: int | msgspec.UnsetType = msgspec.UNSET
    other_run_id: int | msgspec.UnsetType = msgspec.UNSET
    after: int | msgspec.UnsetType = msgspec.UNSET
    then: str | msgspec.UnsetType = msgspec.UNSET


class RunParams(FillingParams, frozen=True, kw_only=True):
    """Parameters of any job that fills a run; None where its kind does not have them.

    Attributes:
        checkpoint_id: Checkpoint whose poses these are, or were candidates.
        corrects_run_id: See ``PropagationParams``, as ``stage`` and ``other_run_id``.
        whole_frame: See ``EstimateParams``.
    """

    checkpoint_id: int | None = None
    corrects_run_id: int | None = None
    stage: int | None = None
    other_run_id: int | None = None
    whole_frame: bool | None = None


class EstimateParams(FillingParams, frozen=True, kw_only=True):
    """Parameters of an estimate.

    Attributes:
        checkpoint_id: What estimates.
        runs: Runs around whose poses the subjects are looked for.
        whole_frame: Whether the one subject is looked for on whole frames instead.
    """

    checkpoint_id: int
    runs: list[int]
    whole_frame: bool


class ImportParams(FillingParams, frozen=True, kw_only=True):
    """Where poses of a file came to lie.

    Attributes:
        engine: ``import``.
    """

    engine: str


class PackingParams(JobRow, frozen=True, kw_only=True):
    """Parameters of a packing.

    Attributes:
        run_id: The run that is packed.
    """

    run_id: int


class VideoSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The labels and runs of a video at one moment.

    Attributes:
        id: The video.
        revision: The last revision of its labels.
        runs: The runs that are seen, newest first.
        reviews: The last review that counts; there were none when the oldest snapshots were taken.
        first_stages: Those of ``runs`` whose second stage had not ended; not written where there are none.
        basis: What radii are read by, see ``app.runs.basis``: its digest, null for those that engines gave. Not written
            as long as that is not settled; nor was it in the oldest snapshots, which are read as engines gave them.
    """

    id: int
    revision: int
    runs: list[int]
    reviews: int = 0
    first_stages: list[int] | msgspec.UnsetType = msgspec.UNSET
    basis: str | msgspec.UnsetType | None = msgspec.UNSET


class Snapshot(JobRow, frozen=True, kw_only=True):
    """The labels and runs of a project at one moment: what exports are made of and estimators learn from.

    Attributes:
        skeleton_version: Of the project.
        videos: Those that belong to it.
    """

    skeleton_version: int
    videos: list[VideoSnapshot]


class TrainerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Hyperparameters of training an estimator, see ``models.training.train.TrainConfig``.

    Attributes:
        pretrained: Where the backbone's weights come from; the oldest trainings do not say it.
    """

    estimator: str
    preset: str
    epochs: int
    batch: int
    rate: float
    seed: int
    minutes: float
    patience: int
    pretrained: str = "shipped"


class Starter(msgspec.Struct, frozen=True, kw_only=True):
    """The caller that asked for a job.

    Attributes:
        key_id: By which key.
        session_id: In which session of a browser.
    """

    key_id: int | None
    session_id: int | None


class TrainingParams(JobRow, frozen=True, kw_only=True):
    """Parameters of a training.

    Attributes:
        config: How it learns.
        base_checkpoint_id: The checkpoint that it goes on from.
        include: Whose poses are learnt, see ``app.labels.schemas.Source``.
        pseudo_weight: How much a machine's pose counts beside a person's.
        snapshot: What it learns from.
        held_out: Spans of what it does not learn from: video, first frame, frame after the last.
        by: Who asked for it.
    """

    config: TrainerSettings
    base_checkpoint_id: int | None
    include: list[Source]
    pseudo_weight: float
    snapshot: Snapshot
    held_out: list[tuple[int, int, int]]
    by: Starter


class Fit(JobRow, frozen=True, kw_only=True, omit_defaults=True):
    """Facts about fitting an engine to a video.

    Attributes:
        steps: Of the optimiser, that were taken.
        planned: Of them, that were asked for.
        seconds: They took.
        short_of_time: Whether they were fewer than asked for.
        precision: In which it learnt; the oldest fits do not say it.
    """

    steps: int
    planned: int
    seconds: float
    short_of_time: bool
    precision: str = ""


class Computed(JobRow, frozen=True, kw_only=True, omit_defaults=True):
    """Where and how the poses of a run were computed, for its pedigree.

    Attributes:
        device: Its name.
        precision: Of the network.
        threads: Of PyTorch.
        fit: How the engine was fitted to the video, where it was.
    """

    device: str
    precision: str
    threads: int
    fit: Fit | None = None


class RunResult(JobRow, frozen=True, kw_only=True):
    """The result of a packing or an import, and of any job that fills a run once it is queued.

    Attributes:
        run_id: The run.
    """

    run_id: int


class LearntVideo(VideoSnapshot, frozen=True, kw_only=True):
    """A video that a checkpoint learnt from.

    Attributes:
        sha256: Of the file that was uploaded.
    """

    sha256: str


class Parent(msgspec.Struct, frozen=True, kw_only=True):
    """The checkpoint that another one goes on from.

    Attributes:
        id: Of the checkpoint.
        sha256: Of its weights.
    """

    id: int
    sha256: str


class Pedigree(JobRow, frozen=True, kw_only=True):
    """The sources of a checkpoint, as they stand in its row and in its file.

    Attributes:
        project_id: Whose labels it learnt from.
        skeleton_version: Of the project.
        videos: Those with the labels.
        include: See ``TrainingParams``, as ``pseudo_weight`` and ``held_out``.
        labels: Poses that were learnt from and held out, by kind.
        runs_left_out: Runs that know of what is held out, so that nothing was learnt from them.
        config: How it learnt.
        seed: Everything random follows from it.
        parent: None where it goes on from no other.
        code_version: What trained it.
    """

    project_id: int
    skeleton_version: int
    videos: list[LearntVideo]
    include: list[Source]
    pseudo_weight: float
    held_out: list[tuple[int, int, int]]
    labels: dict[str, int]
    runs_left_out: list[int]
    config: TrainerSettings
    seed: int
    parent: Parent | None
    code_version: str


class TrainingResult(JobRow, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a training, so far or at its end.

    Attributes:
        labels: Poses that are learnt from and held out, by kind, see ``app.trainings.label_set``.
        epochs: The loss curve so far.
        checkpoint_id: The checkpoint that it gave.
        verdict: What the promotion gate said of it.
    """

    labels: dict[str, int]
    epochs: list[dict[str, Any]] = []
    checkpoint_id: int | None = None
    verdict: dict[str, Any] | None = None


class FoundCuts(msgspec.Struct, frozen=True, kw_only=True):
    """The cuts that a propagation found in its video.

    Attributes:
        version: Of what finds them, see ``models.engines.cuts``; rows that do not say it are of none that is known.
        frames: First frames of shots.
        scanned: Spans of frames that were looked through.
    """

    version: str = ""
    frames: list[int] = []
    scanned: list[tuple[int, int]] = []


class PropagationResult(RunResult, frozen=True, kw_only=True):
    """The result of a propagation, or of its segments so far.

    Attributes:
        cuts: None before the first segment is done.
    """

    cuts: FoundCuts | None = None


class EstimateResult(RunResult, frozen=True, kw_only=True):
    """The result of an estimate.

    Attributes:
        checkpoint_id: What estimated.
    """

    checkpoint_id: int


class ExportResult(JobRow, frozen=True, kw_only=True):
    """The result of an export.

    Attributes:
        export_id: The export.
    """

    export_id: int


def cuts_of(result: Mapping[str, Any] | None) -> list[int]:
    """First frames of shots that a job found which filled a run, whatever its kind."""
    found = PropagationResult.of(result).cuts if result else None
    return found.frames if found is not None else []
