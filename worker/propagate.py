"""Propagation: an engine fills a run from the labels. One that is fitted to the video stays with who fitted it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from app.jobs import lanes
from models.engines.engine import Engine, FrameSource, Stepwise
from models.registry import adaptable
from worker.context import Context, HelperContext
from worker.filling import Progress, fill, help_fill
from worker.memory import Sparing
from worker.pieces import Propagation, propagation_of
from worker.work import Compute


def propagate(context: Context) -> None:
    """Run a propagation job."""
    work = propagation_of(context)

    def prepare(frames: FrameSource, progress: Progress) -> Compute:
        engine = _listening(work.engine, context)
        if work.adapts and progress.unfinished():
            engine = _adapted(context, work, frames, lambda: progress.step("adapting"))
        return _computing(context, work, engine, frames)

    queue = partial(lanes.of_propagation, work.name, adapt=work.adapts)
    fill(context, work, prepare, stage="propagating", shared=not work.adapts, queue=queue)


def help_out(context: HelperContext, more: Callable[[], bool]) -> bool:
    """Help with a propagation that another worker holds, see ``worker.filling.help_fill``."""
    work = propagation_of(context)
    engine = _listening(work.engine, context)
    return help_fill(context, work, lambda frames: _computing(context, work, engine, frames), more)


def _computing(context: Context, work: Propagation, engine: Engine, frames: FrameSource) -> Compute:
    sparing = Sparing(engine, context.metrics.spared)
    return lambda piece: sparing.propagate(frames, piece.given, piece.segment, work.cuts)


def _adapted(context: Context, work: Propagation, frames: FrameSource, step: Callable[[], None]) -> Engine:
    from models.adaptation.adaptation import Adaptation
    from models.adaptation.fitting import AdaptRecipe

    assert adaptable(work.engine)
    recipe = AdaptRecipe(steps=context.settings.adapt_steps)
    fitting = Adaptation(work.engine, frames, work.labels, cuts=work.cuts, recipe=recipe)
    for _ in fitting:
        step()
    return fitting.engine


def _listening(engine: Engine, context: Context) -> Engine:
    if isinstance(engine, Stepwise):
        engine.step = context.listen
    return engine
