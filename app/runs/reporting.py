"""Reporting how well a run's radii and scores keep their word, and which engine does best on its video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
from cachetools import LRUCache
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.runs import basis
from app.runs.trust_schemas import EnginesOut, TrustOut
from app.storage import Storage
from app.tables import Measurement, Run
from pose.calibration.calibration import CALIBRATED
from pose.calibration.report import Bin, Part, report
from pose.calibration.residuals import Residuals
from pose.calibration.shipped import SCALES, shipped

#: Comparisons, by engines and digests of their errors.
_compared: LRUCache[tuple[tuple[str, str], ...], EnginesOut | None] = LRUCache(256)
_lock = Lock()

#: Engines whose errors differ by less than this share do as well as each other.
_ALIKE = 0.1


def trust(session: Session, storage: Storage, run: Run) -> TrustOut:
    """Report on a run; of one whose engine learnt from the labels, or that no engine propagated, nothing is known."""
    learnt = basis.learnt(session, run)
    about = {"run_id": run.id, "engine": run.engine, "learnt": learnt, "measured_run_id": None, "regimes": []}
    own, others = (None, ()) if learnt else basis.measured(session, run)
    if own is not None:
        found = basis.errors(storage, [own.sha256, *(other.sha256 for other in others)])
        mine = found.pop(own.sha256, Residuals.empty())
        told = report(mine, list(found.values()), shipped(run.engine), SCALES)
        about["measured_run_id"] = own.run_id
        about["regimes"] = [
            {
                "regime": regime.name.lower(),
                "reliability": [_bin(one) for one in one.reliability],
                "keypoints": [{"keypoint": k, **_part(part)} for k, part in one.keypoints.items()],
                "gaps": [_part(part) for part in one.gaps],
                "hardest_quarter": None if one.hardest is None else _part(one.hardest),
            }
            for regime, one in told.items()
        ]
    return TrustOut.model_validate({**about, "engines": engines(session, storage, run.video_id)})


def engines(session: Session, storage: Storage, video_id: int) -> EnginesOut | None:
    """Compare the engines that were measured on a video; None where fewer than two were on the same keyframes."""
    query = select(Measurement.engine, Measurement.sha256).where(Measurement.video_id == video_id)
    named = tuple((engine, sha256) for engine, sha256 in session.execute(query.order_by(Measurement.engine)))
    with _lock:
        if named in _compared:
            return _compared[named]
    found = basis.errors(storage, [sha256 for _, sha256 in named])
    told = compared({engine: found[sha256] for engine, sha256 in named if sha256 in found})
    made = None if told is None else EnginesOut.model_validate(told)
    if len(found) == len(named):  # what cannot be read now may be there again later
        with _lock:
            _compared[named] = made
    return made


def compared(errors: Mapping[str, Residuals]) -> dict[str, Any] | None:
    """Compare engines on the points that were hidden from all of them in the same way; None where there are none."""
    places = {engine: _places(each) for engine, each in errors.items()}
    if len(places) < 2 or not (common := set.intersection(*({*rows} for rows in places.values()))):
        return None
    order = sorted(common)
    mean = {
        engine: float(np.mean([errors[engine].error[rows[place]] for place in order]))
        for engine, rows in places.items()
    }
    ranked = sorted(mean, key=lambda engine: (mean[engine], engine))
    keyframes = len({place[:2] for place in order})
    return {
        "keyframes": keyframes,
        "points": len(order),
        "engines": [{"engine": engine, "error": round(mean[engine], 5)} for engine in ranked],
        "words": _words(ranked, mean, keyframes),
    }


def _words(ranked: Sequence[str], mean: Mapping[str, float], keyframes: int) -> str:
    if keyframes < CALIBRATED:
        return f"{keyframes} keyframes were hidden from all engines, which are too few to tell which one does best"
    alike = [engine for engine in ranked if mean[engine] <= mean[ranked[0]] * (1 + _ALIKE)]
    worse = [f"{engine} {mean[engine]:.1%}" for engine in ranked if engine not in alike]
    best = " and ".join(f"{engine} {mean[engine]:.1%}" for engine in alike)
    text = (
        f"on {keyframes} keyframes hidden from all engines the mean error is, as a share of the subject's size, {best}"
    )
    return text + (f"; worse are {' and '.join(worse)}" if worse else "")


def _places(errors: Residuals) -> dict[tuple[int, int, int, float], int]:
    """The row of each point, by track, frame, keypoint and gap scale: who was given other labels was asked another."""
    columns = errors.track, errors.frame, errors.keypoint, np.round(errors.gap, 3)
    places = zip(*(column.tolist() for column in columns), strict=True)
    return {place: row for row, place in enumerate(places)}


def _bin(one: Bin) -> dict[str, Any]:
    return {
        "low": one.low,
        "high": one.high,
        "points": one.points,
        "score": round(one.score, 4),
        "within": round(one.within, 4),
    }


def _part(one: Part) -> dict[str, Any]:
    return {
        "keyframes": one.keyframes,
        "points": one.points,
        "error": _rounded(one.error),
        "coverage_as_given": _rounded(one.as_given),
        "coverage_calibrated": _rounded(one.calibrated),
        "gap_low": round(one.low, 3),
        "gap_high": round(one.high, 3),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
