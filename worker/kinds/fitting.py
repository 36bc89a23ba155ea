"""The parts of a propagation that only ``stdpose`` has: help of an estimator, and fitting to the video."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from copy import copy

from msgspec.structs import replace
from sqlalchemy import update

from app.jobs.params import Fit
from app.settings import Settings
from app.tables import Checkpoint, Run
from models.adaptation import adaptation
from models.adaptation.adaptation import Adaptation
from models.adaptation.fitting import AdaptRecipe
from models.errors import CheckpointError
from models.estimators.detector import with_estimator
from models.registry import adaptable
from models.stdpose.engine import StdPoseEngine
from pose.frames import FrameSource
from pose.track import Track
from worker.context import Context, JobFailed
from worker.kinds.fill import Progress
from worker.kinds.networks import load
from worker.kinds.propagation import Propagation

_FITTING = 1500  # frames that are propagated in the time that fitting takes, about


def helped(
    context: Context, engine: StdPoseEngine, checkpoint: Checkpoint, keypoints: tuple[str, ...]
) -> StdPoseEngine:
    """The engine with the estimator of a checkpoint as a detector.

    Raises:
        JobFailed: The estimator cannot help with these keypoints.
        MissingFile: The file of the checkpoint is not in the storage.
    """
    try:
        return with_estimator(
            engine, load(context.storage, checkpoint, context.check_cancelled), keypoints, context.check_cancelled
        )
    except CheckpointError as error:
        raise JobFailed(f"checkpoint {checkpoint.id}: {error}") from error


def recipe_of(settings: Settings) -> AdaptRecipe:
    """The recipe by which this worker fits an engine to a video."""
    return AdaptRecipe(steps=settings.adapt_steps, seconds=settings.adapt_seconds)


def version_of(engine: StdPoseEngine, labels: Mapping[int, Track], settings: Settings) -> str:
    """The version of an engine that this worker has fitted to labels."""
    return adaptation.version_of(engine, labels, recipe_of(settings))


def fit(context: Context, work: Propagation, frames: FrameSource, progress: Progress) -> StdPoseEngine:
    """Fit the engine of a propagation to its video, and write down how that went.

    Args:
        context: The job.
        work: With an engine that can be fitted.
        frames: Of the video.
        progress: Of the job; fitting comes before the segments.

    Returns:
        The fitted engine, of this job alone.
    """
    assert adaptable(work.engine)
    engine = copy(work.engine)
    fitting = Adaptation(engine, frames, work.labels, cuts=work.cuts, recipe=recipe_of(context.settings))
    thread = threading.get_ident()

    def heard() -> None:
        """Look up what is on the job now and then; the engine calls this from several threads."""
        context.check_cancelled()
        if threading.get_ident() == thread:
            progress.step()

    engine.step = heard
    frames_open = sum(len(piece.segment) for piece in work.pieces.values())
    with progress.first(fitting.report, share=_FITTING / (_FITTING + frames_open)):
        for _ in fitting:
            progress.step()
    with context.writing() as session:
        assert work.computed is not None
        computed = replace(work.computed, fit=Fit.of(fitting.pedigree))
        session.execute(update(Run).where(Run.id == work.run.id).values(computed=computed.to_row()))
    fitted = fitting.engine
    fitted.step = context.check_cancelled
    return fitted
