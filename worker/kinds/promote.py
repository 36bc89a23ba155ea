"""The end of a training: measure the candidate, let the promotion gate compare it, and keep all of it at once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.audit import service as audit
from app.checkpoints import service as checkpoints
from app.checkpoints.lineage import TrainingCoverage
from app.checkpoints.schemas import FILES, Verdict
from app.jobs import ledger
from app.jobs.params import Pedigree, TrainingParams, TrainingResult
from app.projects import service as projects
from app.storage import Stored
from app.tables import Checkpoint, Project
from models.estimators.checkpoints import Loaded, load
from models.evaluation import promotion
from models.evaluation.evaluation import evaluate
from models.evaluation.judged import LabelledPrediction
from models.evaluation.promotion import gate
from models.evaluation.pseudo_labels import TrainingFit
from models.evaluation.report import write_report
from models.training.examine import SubjectFrames, examine, sampled
from models.training.subjects import Subject
from pose.skeleton import Skeleton
from worker.context import Context, JobFailed, MissingFile
from worker.kinds import networks

_MEASURED, _COMPARED = 0.92, 0.98  # shares of the job's progress
_LOOKED_AT = 2000  # poses of what was learnt from, at most


@dataclass(frozen=True, eq=False)
class Candidate:
    """The product of a training, to be measured.

    Attributes:
        folder: Of the training, with ``best.safetensors`` and ``best.json``.
        skeleton: Of its keypoints.
        learnt: What it has learnt from.
        exam: Labels that it has not learnt from.
        videos: Which video each is in, by the name that subjects have of it.
        epochs: The loss curve.
        pedigree: What it is made from.
    """

    folder: Path
    skeleton: Skeleton
    learnt: list[Subject]
    exam: list[Subject]
    videos: dict[str, int]
    epochs: list[dict[str, Any]]
    pedigree: Pedigree


class _Overtaken(Exception):
    """Another checkpoint was promoted since the two were compared."""


@dataclass(frozen=True)
class _Starter:
    """The caller that asked for a training."""

    lab_id: int
    key_id: int | None
    session_id: int | None


def store(context: Context, candidate: Candidate) -> None:
    """Measure a candidate, keep it as a checkpoint, promote it where it beats the project's, and end the job."""
    loaded = load(candidate.folder / "best.safetensors")
    judged = examine(loaded, candidate.exam, step=context.check_cancelled, **_place(context))
    learnt = _learnt(context, loaded, candidate)
    while True:
        context.step(_MEASURED, "comparing")
        verdict, said = _verdict(context, candidate, judged, learnt)
        metrics = _report(candidate, judged, said)
        context.step(_COMPARED, "storing")
        weights, files = _stored(context, candidate.folder)
        if _kept(context, candidate, weights, files, metrics, verdict):
            return


def _place(context: Context) -> dict[str, Any]:
    return {"device": context.settings.device, "precision": context.settings.precision}


def _report(
    candidate: Candidate, judged: Sequence[LabelledPrediction], said: promotion.GateVerdict | None
) -> dict[str, Any]:
    """Write the report into the candidate's folder; gives the metrics, none where nothing can be measured."""
    try:
        evaluation = evaluate(judged, candidate.skeleton)
    except ValueError:
        return {}
    with SubjectFrames(candidate.exam) as frames:
        folder = candidate.folder / "report"
        write_report(folder, evaluation, judged, candidate.skeleton, frames, candidate.epochs, said)
    metrics: dict[str, Any] = evaluation.to_json()
    return metrics


def _learnt(context: Context, loaded: Loaded, candidate: Candidate) -> list[TrainingFit]:
    """The candidate's poses where it learnt; nothing where it learnt from people alone."""
    if not any(((subject.weight > 0) & (subject.weight < 1)).any() for subject in candidate.learnt):
        return []
    subjects = sampled(candidate.learnt, _LOOKED_AT, candidate.pedigree.seed)
    judged = examine(loaded, subjects, step=context.check_cancelled, **_place(context))
    return [TrainingFit(one, subject.weight) for one, subject in zip(judged, subjects, strict=True)]


def _verdict(
    context: Context, candidate: Candidate, judged: Sequence[LabelledPrediction], learnt: Sequence[TrainingFit]
) -> tuple[Verdict, promotion.GateVerdict | None]:
    """Compare a candidate with the project's checkpoint, on labels that neither has learnt from.

    Returns:
        The verdict, and what the gate said where it could be asked.
    """
    with context.database.session(readonly=True) as session:
        rival = checkpoints.current(session, candidate.pedigree.project_id)
        seen = TrainingCoverage(session, rival)
    unseen = [~seen.cover(candidate.videos[one.video], one.truth.frames) for one in judged]
    # Where a subject is absent nothing can be compared.
    unseen = [rows & (one.truth.visibility > 0).any(axis=1) for rows, one in zip(unseen, judged, strict=True)]
    places = [place for place, rows in enumerate(unseen) if rows.any()]
    against = rival.id if rival is not None else None
    if not places:
        learners = "what this estimator goes on from" + (f", or checkpoint {rival.id}," if rival is not None else "")
        sentence = f"Not promoted: {learners} has learnt from every label that is held out now."
        return Verdict(promoted=False, reason=sentence, against=against), None
    try:
        theirs = None
        if rival is not None:
            loaded = networks.load(context.storage, rival, context.check_cancelled)
            subjects = [candidate.exam[place].select(unseen[place]) for place in places]
            known = _places(context, candidate, rival)
            theirs = examine(loaded, subjects, places=known, step=context.check_cancelled, **_place(context))
        ours = [_select(judged[place], unseen[place]) for place in places]
        seed, names = candidate.pedigree.seed, candidate.skeleton.keypoints
        said = gate(ours, theirs, seed=seed, keypoints=names, learnt=learnt)
    except (JobFailed, MissingFile, ValueError) as error:
        sentence = f"Not promoted: it could not be compared. {error}"
        return Verdict(promoted=False, reason=sentence, against=against), None
    return Verdict(against=against, **said.to_json()), said


def _places(context: Context, candidate: Candidate, rival: Checkpoint) -> np.ndarray:
    """``(K,)`` where the candidate's keypoints stand among the rival's, -1 for one that it does not know.

    Keypoints are renamed in place, and retired ones keep theirs: the same place is the same keypoint.
    """
    project, version = candidate.pedigree.project_id, candidate.pedigree.skeleton_version
    with context.database.session(readonly=True) as session:
        ours = projects.skeleton(session, project, version).points
        theirs = projects.skeleton(session, project, rival.skeleton_version).points
    return np.where(np.isin(ours, theirs), np.searchsorted(theirs, ours), -1)


def _select(judged: LabelledPrediction, rows: np.ndarray) -> LabelledPrediction:
    """A subject on some of its labelled frames."""
    truth = judged.truth.select(rows)
    return replace(judged, truth=truth, guess=judged.guess.select(np.isin(judged.guess.frames, truth.frames)))


def _stored(context: Context, folder: Path) -> tuple[Stored, dict[str, Stored]]:
    """Put the candidate's files into storage; the folder keeps its own for another attempt."""
    with context.storage.scratch_file() as copy:
        shutil.copyfile(folder / "best.safetensors", copy)
        weights = context.storage.adopt(copy, step=context.check_cancelled)
    paths = {name: folder / "report" / name for name in FILES} | {"recipe.json": folder / "best.json"}
    files = {name: context.storage.put(path.read_bytes()) for name, path in paths.items() if path.exists()}
    return weights, files


def _kept(
    context: Context,
    candidate: Candidate,
    weights: Stored,
    files: dict[str, Stored],
    metrics: dict[str, Any],
    verdict: Verdict,
) -> bool:
    """Write the checkpoint down and end the job; not where another one was promoted since the two were compared."""
    try:
        context.insist(lambda: _keep(context, candidate, weights, files, metrics, verdict))
    except _Overtaken:
        return False
    return True


def _keep(
    context: Context,
    candidate: Candidate,
    weights: Stored,
    files: dict[str, Stored],
    metrics: dict[str, Any],
    verdict: Verdict,
) -> None:
    pedigree = candidate.pedigree
    with context.keeping([weights, *files.values()]) as session:
        checkpoints.lock(session, pedigree.project_id)
        rival = checkpoints.current(session, pedigree.project_id)
        if (rival.id if rival is not None else None) != verdict.against:
            raise _Overtaken
        parent = pedigree.parent
        checkpoint = checkpoints.add(
            session,
            context.storage,
            weights,
            files,
            verdict,
            project_id=pedigree.project_id,
            job_id=context.held.job_id,
            parent_id=parent.id if parent is not None else None,
            estimator=pedigree.config.estimator,
            preset=pedigree.config.preset,
            skeleton_version=pedigree.skeleton_version,
            metrics=metrics,
            epochs=candidate.epochs,
            pedigree=pedigree.to_row(),
        )
        if verdict.promoted:
            checkpoints.promote(session, checkpoint)
            project = session.get_one(Project, checkpoint.project_id)
            by = TrainingParams.of(context.held.params).by
            starter = _Starter(project.lab_id, by.key_id, by.session_id)
            audit.record(
                session, starter, "checkpoint.promote", project=project, checkpoint_id=checkpoint.id, gate=True
            )
        result = TrainingResult(
            labels=pedigree.labels,
            epochs=checkpoint.epochs,
            checkpoint_id=checkpoint.id,
            verdict=checkpoint.verdict,
        )
        ledger.succeed(session, context.held, result.to_row())
