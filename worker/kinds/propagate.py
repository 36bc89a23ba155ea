"""Propagation: an engine fills a run from the labels. One that is fitted to the video stays with who fitted it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import partial

from sqlalchemy.orm import Session

from app.jobs import lanes
from app.jobs.params import PropagationParams
from app.runs import measuring
from models.engines.engine import Engine, Stepwise
from models.hiding import choose
from pose.frames import FrameSource, OnStep
from worker.context import Context, HelperContext
from worker.kinds.fill import Progress, fill, help_fill
from worker.kinds.memory import OomRetry
from worker.kinds.propagation import Propagation, propagation_of
from worker.kinds.work import Compute


def run(context: Context) -> None:
    """Run a propagation job."""
    work = propagation_of(context)

    def prepare(frames: FrameSource, progress: Progress) -> Compute:
        engine = listening(work.engine, context)
        if work.adapts and progress.unfinished():
            from worker.kinds import fitting  # loads PyTorch, which the other engines do without

            engine = fitting.fit(context, work, frames, progress)
        return _computing(context, work, engine, frames)

    queue = partial(lanes.of_propagation, work.name, adapt=work.adapts)
    # What learnt from labels has seen what would be hidden from it.
    learnt = work.adapts or PropagationParams.of(context.held.params).checkpoint_id is not None
    worth = not learnt and len(choose(work.labels, 1)) > 0

    def ended(session: Session) -> None:
        if worth:
            measuring.queue(session, context.settings, work.run)

    fill(context, work, prepare, stage="propagating", shared=not work.adapts, queue=queue, ended=ended)


def help_out(context: HelperContext, more: Callable[[], bool]) -> bool:
    """Help with a propagation that another worker holds, see ``worker.kinds.fill.help_fill``."""
    work = propagation_of(context)
    engine = listening(work.engine, context)
    return help_fill(context, work, lambda frames: _computing(context, work, engine, frames), more)


def _computing(context: Context, work: Propagation, engine: Engine, frames: FrameSource) -> Compute:
    retry = OomRetry(engine, context.warn_out_of_memory)
    return lambda piece: retry.propagate(frames, piece.given, piece.segment, work.cuts)


def listening(engine: Engine, context: Context, step: OnStep | None = None) -> Engine:
    """The engine as this job's own: other jobs may compute with it meanwhile, or after this one was called off.

    Args:
        engine: What computes.
        context: The job.
        step: What it calls in between, from several threads; it hears whether the job shall go on where left out.
    """
    if not isinstance(engine, Stepwise):
        return engine
    mine = copy(engine)
    mine.step = context.check_cancelled if step is None else step
    return mine
