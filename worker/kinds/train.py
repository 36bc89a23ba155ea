"""Training: an estimator learns from the labels and pseudo-labels of a project, and is measured on what was held out.

What is learnt from was settled when the training was asked for (``app.trainings.service``), so that every attempt
learns the same. The checkpoint, its report and its promotion are written in one transaction, or nothing is.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy import select, update

from app.checkpoints.lineage import TrainingCoverage
from app.jobs.params import LearntVideo, Parent, Pedigree, TrainingParams, TrainingResult
from app.json_numbers import finite
from app.tables import Checkpoint, Job, Video
from app.trainings import label_set
from app.trainings.label_set import LabelSet
from app.version import VERSION
from models.training.subjects import Subject, hold_out
from models.training.train import Epoch, TrainConfig, TrainingError, train
from pose.skeleton import Skeleton
from worker.context import Context, JobFailed
from worker.kinds.compute import compute_of
from worker.kinds.networks import backbone_of, weights_of
from worker.kinds.promote import Candidate, store
from worker.kinds.subjects import subjects_of
from worker.kinds.training_folder import training_folder

# Shares of the job's progress at which its parts end.
_READ, _LEARNT = 0.05, 0.85

# Part of what is learnt from is set aside to choose the best epoch by, unless there is too little of it. The hold-out
# has no say in that: it is looked at once, when all is done.
_ASIDE = 0.1
_FEWEST_TO_PART = 40  # poses


@dataclass(frozen=True, eq=False)
class _Task:
    """The inputs of a training job.

    Attributes:
        skeleton: Of all subjects.
        training: What is learnt from.
        validation: What the best epoch is chosen by.
        exam: Held-out labels that neither this training nor those before it have learnt from.
        videos: Which video each of these is in, by the name that subjects have of it.
        base: Weights to go on from.
        pedigree: What it is made from.
    """

    skeleton: Skeleton
    training: list[Subject]
    validation: list[Subject]
    exam: list[Subject]
    videos: dict[str, int]
    base: Path | None
    pedigree: Pedigree


def run(context: Context) -> None:
    """Run a training job."""
    with training_folder(context) as folder:
        context.step(0, "reading labels")
        context.device_use.on(compute_of(context.settings).device_name)
        task = _task(context, folder)
        epochs = _learn(context, task, folder)
        context.step(_LEARNT, "measuring")
        learnt = task.training + task.validation
        store(context, Candidate(folder, task.skeleton, learnt, task.exam, task.videos, epochs, task.pedigree))


def _task(context: Context, folder: Path) -> _Task:
    params = TrainingParams.of(context.held.params)
    with context.database.session(readonly=True) as session:
        project_id = session.get_one(Job, context.held.job_id).project_id
        number = params.base_checkpoint_id
        base = session.get_one(Checkpoint, number) if number is not None else None
        seen = TrainingCoverage(session, base)
        videos = {part.id: session.get_one(Video, part.id) for part in params.snapshot.videos}
    labels = label_set.read(context.database, context.storage, project_id, params, context.check_cancelled)
    learnt = subjects_of(context, labels.learnt, folder)
    training, validation = _parted(learnt, params.config.seed)
    exam = []
    for one, subject in zip(labels.held_out, subjects_of(context, labels.held_out, folder), strict=True):
        context.check_cancelled()
        unseen = ~seen.cover(one.video.id, one.poses.frames)
        if unseen.any():
            exam.append(subject.select(unseen))
    return _Task(
        skeleton=labels.skeleton,
        training=training,
        validation=validation,
        exam=exam,
        videos={video.slug: video.id for video in videos.values()},
        base=weights_of(context.storage, base, context.check_cancelled) if base is not None else None,
        pedigree=_pedigree(params, project_id, base, videos, labels),
    )


def _parted(subjects: list[Subject], seed: int) -> tuple[list[Subject], list[Subject]]:
    if sum(subject.labels for subject in subjects) < _FEWEST_TO_PART:
        return subjects, []
    return hold_out(subjects, _ASIDE, seed)


def _pedigree(
    params: TrainingParams,
    project_id: int,
    base: Checkpoint | None,
    videos: Mapping[int, Video],
    labels: LabelSet,
) -> Pedigree:
    return Pedigree(
        project_id=project_id,
        skeleton_version=params.snapshot.skeleton_version,
        videos=[
            LearntVideo(**msgspec.structs.asdict(part), sha256=videos[part.id].sha256)
            for part in params.snapshot.videos
        ],
        include=params.include,
        pseudo_weight=params.pseudo_weight,
        held_out=params.held_out,
        labels=labels.counts,
        runs_left_out=labels.runs_left_out,
        config=params.config,
        seed=params.config.seed,
        parent=None if base is None else Parent(id=base.id, sha256=base.weights_sha256),
        code_version=VERSION,
    )


def _learn(context: Context, task: _Task, folder: Path) -> list[dict[str, Any]]:
    """Train until the end; gives the loss curve. What it has so far stands on the job while it goes on."""
    with context.database.session(readonly=True) as session:
        row = session.scalars(select(Job.result).where(Job.id == context.held.job_id)).one()
    wanted = task.pedigree.config
    config = TrainConfig(
        **{
            **msgspec.structs.asdict(wanted),
            "pretrained": backbone_of(context.settings, wanted.pretrained),
            "device": context.settings.device,
            "precision": context.settings.precision,
        }
    )
    # Where the state of an earlier attempt is on another machine, this one begins anew.
    resumed = (folder / "state.safetensors").exists()
    curve = {one["index"]: one for one in TrainingResult.of(row).epochs} if resumed and row else {}
    recipe = {"pedigree": task.pedigree.to_row()}
    try:
        training = train(
            config, task.skeleton, task.training, task.validation, folder, task.base, recipe, context.check_cancelled
        )
        with closing(cast("Generator[Epoch, None, None]", training)) as epochs:
            context.step(_READ, "training")
            for epoch in epochs:
                curve[epoch.index] = _row(epoch)
                _show(context, TrainingResult(labels=task.pedigree.labels, epochs=list(curve.values())))
                context.step(_READ + (_LEARNT - _READ) * epoch.progress, "training")
    except TrainingError as error:
        raise JobFailed(str(error)) from error
    if not (folder / "best.safetensors").exists():
        raise JobFailed("no epoch of the training gave an estimator that could be measured; a lower rate may help")
    return list(curve.values())


def _row(epoch: Epoch) -> dict[str, Any]:
    row = {name: getattr(epoch, name) for name in ("index", "step", "loss", "seconds", "waiting", "best")}
    made: dict[str, Any] = finite({**row, "losses": dict(epoch.losses), "validation": dict(epoch.validation)})
    return made


def _show(context: Context, result: TrainingResult) -> None:
    with context.writing() as session:
        session.execute(update(Job).where(Job.id == context.held.job_id).values(result=result.to_row()))
