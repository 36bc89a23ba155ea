"""What is known of how far a run's radii can be trusted: the engine's errors on hidden keyframes, and what they allow.

It is worked out whenever it is asked for, from what was measured of the engine on this video and on the other videos of
the project (``app.runs.measuring``), and remembered as long as none of that changes. Nothing of it is stored with the
run, whose poses stay as the engine gave them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from threading import Lock

from cachetools import LRUCache
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import DamagedObject
from app.jobs.params import Computed, RunParams
from app.runs.schemas import CalibrationOut, RegimeOut
from app.storage import Storage
from app.tables import Job, Measurement, Project, Run, Video
from app.trash import visible
from pose.calibration.account import Account, account
from pose.calibration.residuals import Residuals
from pose.calibration.shipped import SCALES, shipped
from pose.calibration.situation import Regime
from pose.formats import hidden as files

log = logging.getLogger(__name__)

#: Other videos of a project that count: those that were measured last. More would say little that these do not.
MOST_VIDEOS = 50

_ENGINES = ("flow", "linear", "stdpose")

#: What an account rests on: the engine, the video's object, where it has one, and those of the others.
_Grounds = tuple[str, str | None, tuple[str, ...]]


def calibration(session: Session, storage: Storage, run: Run) -> CalibrationOut | None:
    """What is known of a run's radii and scores; None where no engine propagated it."""
    if run.engine not in _ENGINES:
        return None
    if (learnt := _learnt(session, run)) is not None:
        return _shown(run, account(Residuals.empty(), [], [], SCALES), learnt, None)
    own, others = _measured(session, run)
    grounds = run.engine, None if own is None else own.sha256, tuple(sorted(other.sha256 for other in others))
    return _shown(run, _account(storage, grounds), None, own)


def _learnt(session: Session, run: Run) -> str | None:
    """How the engine came to know the labels, so that nothing can be hidden from it."""
    if run.computed and Computed.of(run.computed).fit is not None:
        return "fitted"
    job = session.get_one(Job, run.job_id)
    if RunParams.of(job.params).checkpoint_id is not None:
        return "checkpoint"
    return "fitted" if run.engine == "stdpose" and job.params.get("adapt") else None


def _measured(session: Session, run: Run) -> tuple[Measurement | None, Sequence[Measurement]]:
    """What was measured of the engine on the run's video, and on others of the project."""
    project = session.get_one(Video, run.video_id).project_id
    of_engine = select(Measurement).join(Video).join(Project).where(Measurement.engine == run.engine)
    others = of_engine.where(Video.project_id == project, Video.id != run.video_id, visible.VIDEO)
    last = others.order_by(Measurement.run_id.desc()).limit(MOST_VIDEOS)
    return session.get(Measurement, (run.video_id, run.engine)), session.scalars(last).all()


def _account(storage: Storage, grounds: _Grounds) -> Mapping[Regime, Account]:
    with _lock:
        if (known := _remembered.get(grounds)) is not None:
            return known
    engine, own, others = grounds
    found = _read(storage, [*others, *([] if own is None else [own])])
    mine = found.get(own, Residuals.empty()) if own is not None else Residuals.empty()
    told = account(mine, [found[sha256] for sha256 in others if sha256 in found], shipped(engine), SCALES)
    with _lock:
        _remembered[grounds] = told
    return told


def _read(storage: Storage, digests: Sequence[str]) -> dict[str, Residuals]:
    """The errors of objects; one that is missing or damaged is measured anew sooner or later, and does without."""
    found = {}
    for sha256 in digests:
        with _lock:
            known = _objects.get(sha256)
        if known is None:
            try:
                known = files.errors_of(files.decode(storage.get(sha256)))
            except (FileNotFoundError, DamagedObject):
                log.warning("a measurement cannot be read", extra={"sha256": sha256}, exc_info=True)
                continue
            with _lock:
                _objects[sha256] = known
        found[sha256] = known
    return found


def _shown(run: Run, told: Mapping[Regime, Account], learnt: str | None, own: Measurement | None) -> CalibrationOut:
    regimes = [
        RegimeOut.model_validate(
            {
                "regime": regime.name.lower(),
                "state": one.state,
                "keyframes": one.keyframes,
                "points": one.points,
                "videos": one.videos,
                "shipped": one.shipped,
                "coverage_as_given": _rounded(one.as_given),
                "coverage_calibrated": _rounded(one.coverage),
                "auroc": _rounded(one.auroc),
                "calibration_error": _rounded(one.ece),
            }
        )
        for regime, one in told.items()
    ]
    measured = None if own is None else own.run_id
    return CalibrationOut(engine=run.engine, measured_run_id=measured, learnt=learnt, regimes=regimes)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


_remembered: LRUCache[_Grounds, Mapping[Regime, Account]] = LRUCache(256)
_objects: LRUCache[str, Residuals] = LRUCache(512)
_lock = Lock()
