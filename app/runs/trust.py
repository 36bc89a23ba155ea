"""What is known of how far a run's radii can be trusted: the engine's errors on hidden keyframes, and what they allow.

It is worked out whenever it is asked for, from what was measured of the engine on this video and on the other videos of
the project (``app.runs.measuring``), and remembered as long as none of that changes. Nothing of it is stored with the
run, whose poses stay as the engine gave them; how they are read by it is told in ``app.runs.basis``.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from cachetools import LRUCache
from sqlalchemy.orm import Session

from app.runs import basis
from app.runs.schemas import CalibrationOut, RegimeOut
from app.storage import Storage
from app.tables import Measurement, Run
from pose.calibration.account import Account, account
from pose.calibration.residuals import Residuals
from pose.calibration.shipped import SCALES, shipped
from pose.calibration.situation import Regime

_ENGINES = ("flow", "linear", "stdpose")

#: What an account rests on: the engine, the video's object, where it has one, and those of the others.
_Grounds = tuple[str, str | None, tuple[str, ...]]


def calibration(session: Session, storage: Storage, run: Run) -> CalibrationOut | None:
    """What is known of a run's radii and scores; None where no engine propagated it."""
    if run.engine not in _ENGINES:
        return None
    if (learnt := basis.learnt(session, run)) is not None:
        return _shown(run, account(Residuals.empty(), [], [], SCALES), learnt, None)
    own, others = basis.measured(session, run)
    grounds = run.engine, None if own is None else own.sha256, tuple(sorted(other.sha256 for other in others))
    return _shown(run, _account(storage, grounds), None, own)


def _account(storage: Storage, grounds: _Grounds) -> Mapping[Regime, Account]:
    with _lock:
        if (known := _remembered.get(grounds)) is not None:
            return known
    engine, own, others = grounds
    found = basis.errors(storage, [*others, *([] if own is None else [own])])
    mine = found.get(own, Residuals.empty()) if own is not None else Residuals.empty()
    told = account(mine, [found[sha256] for sha256 in others if sha256 in found], shipped(engine), SCALES)
    with _lock:
        _remembered[grounds] = told
    return told


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
_lock = Lock()
