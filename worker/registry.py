"""Which module does each kind of job. It is loaded when the first job of its kind comes."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import cast

from app.estimates.service import ESTIMATE
from app.exports.service import EXPORT
from app.runs.measuring import MEASURE
from app.runs.packing import PACK
from app.runs.service import PROPAGATE
from app.trainings.service import TRAIN
from app.videos.service import INGEST
from worker.context import Context, HelperContext, JobFailed

#: Does a job to its end.
Run = Callable[[Context], None]

#: Computes segments of a job that another worker holds, as long as it is told to go on; returns whether this worker
#: can help with that job.
Help = Callable[[HelperContext, Callable[[], bool]], bool]

#: The module by kind of job; its function ``run`` does the job.
KINDS = {
    INGEST: "worker.kinds.ingest",
    PROPAGATE: "worker.kinds.propagate",
    PACK: "worker.kinds.pack",
    MEASURE: "worker.kinds.measure",
    EXPORT: "worker.kinds.export",
    TRAIN: "worker.kinds.train",
    ESTIMATE: "worker.kinds.estimate",
}

#: The kinds of jobs that an idle worker can help with: their modules have a function ``help_out``.
HELPED = (PROPAGATE, ESTIMATE)

_NEED_TORCH = (TRAIN, ESTIMATE)


def load(kind: str) -> Run:
    """The function that does jobs of a kind.

    Raises:
        JobFailed: It needs PyTorch, which is not installed.
    """
    return cast(Run, _module(kind).run)


def load_helper(kind: str) -> Help:
    """The function that helps with jobs of a kind.

    Raises:
        JobFailed: It needs PyTorch, which is not installed.
    """
    return cast(Help, _module(kind).help_out)


def _module(kind: str) -> ModuleType:
    if kind in _NEED_TORCH and find_spec("torch") is None:
        raise JobFailed("estimators need PyTorch, which this worker lacks: pip install 'posetween[worker]'")
    return import_module(KINDS[kind])
