"""What radii and scores of a video are read by: its measurements and those of its project, as they are at a moment.

Runs stay as engines gave them. Who reads a run reads its radii by the *basis* of its video: for each engine that was
measured on it (``app.runs.measuring``) the calibration that this allows, and nothing for the others. It is worked out
whenever it is asked for, and remembered as long as no measurement changes. Whoever accepts or exports something keeps
the basis (``keep``), so that what was accepted or exported is read in the same way for ever, whatever is measured
later.

What fewer than two hidden keyframes of the video tell of a situation is not used: it stays as the engine gave it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import numpy as np
from cachetools import LRUCache
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.database import insert_missing
from app.errors import DamagedObject
from app.jobs.params import Computed, RunParams
from app.storage import Storage
from app.tables import Basis as Row
from app.tables import Job, Measurement, Project, Run, Video
from app.trash import visible
from pose.calibration import written
from pose.calibration.calibration import PROVISIONAL, Calibration, calibrate
from pose.calibration.residuals import Residuals
from pose.calibration.shipped import SCALES, shipped
from pose.formats import hidden as files

log = logging.getLogger(__name__)

#: Other videos of a project that count: those that were measured last. More would say little that these do not.
MOST_VIDEOS = 50

Thing = TypeVar("Thing")

#: Engine, the digest of the video's own measurement, and those of the others, ascending.
Grounds = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True)
class Basis:
    """What radii of a video are read by.

    Attributes:
        sha256: Its name, the digest of ``data``.
        data: What ``pose.calibration.written`` writes.
    """

    sha256: str
    data: str

    @property
    def engines(self) -> Mapping[str, Calibration]:
        """The calibrations, by engine."""
        with _lock:
            known = _decoded.get(self.sha256)
        if known is None:
            known = written.decode(self.data)
            with _lock:
                _decoded[self.sha256] = known
        return known


def present(session: Session, storage: Storage, video: Video) -> Basis | None:
    """What radii of a video are read by now; None where they are as engines gave them."""
    query = select(Measurement.engine, Measurement.sha256)
    own = session.execute(
        query.where(Measurement.video_id == video.id, Measurement.keyframes >= PROVISIONAL).order_by(Measurement.engine)
    ).all()
    if not own:
        return None
    grounds = tuple(
        (engine, sha256, tuple(sorted(session.scalars(_others(select(Measurement.sha256), video, engine)))))
        for engine, sha256 in own
    )
    with _lock:
        if grounds in _worked_out:
            return _worked_out[grounds]
    engines, whole = {}, True
    for engine, sha256, others in grounds:
        found = errors(storage, [*others, sha256])
        whole &= found.keys() >= {sha256, *others}
        rest = [found[other] for other in others if other in found]
        known = calibrate(found.get(sha256, Residuals.empty()), rest, shipped(engine), SCALES).own
        if known.told:
            engines[engine] = known
    basis = _made(engines) if engines else None
    if whole:  # what cannot be read now may be there again later
        with _lock:
            _worked_out[grounds] = basis
    return basis


def stored(session: Session, video_id: int, sha256: str | None) -> Basis | None:
    """What somebody kept, by its name; None where radii were as engines gave them.

    Raises:
        NoResultFound: There is none of that name.
    """
    if sha256 is None:
        return None
    row = session.get_one(Row, (video_id, sha256))
    return Basis(row.sha256, row.data)


def same(basis: Basis | None, sha256: str | None, runs: np.ndarray, run: int) -> bool:
    """Whether poses of ``runs`` that were read by ``basis`` are read alike by the one of a name as those of ``run``."""
    if basis is None or sha256 is None:
        return basis is None and sha256 is None
    return basis.sha256 == sha256 and bool((runs[runs > 0] == run).all())


def keep(session: Session, video_id: int, basis: Basis | None) -> str | None:
    """Write a basis down, as long as the video is there; gives its name."""
    if basis is None:
        return None
    insert_missing(session, Row, video_id=video_id, sha256=basis.sha256, data=basis.data)
    return basis.sha256


def learnt(session: Session, run: Run) -> str | None:
    """How a run's engine came to know the labels, so that nothing can be hidden from it; None where it did not."""
    if run.computed and Computed.of(run.computed).fit is not None:
        return "fitted"
    job = session.get_one(Job, run.job_id)
    if RunParams.of(job.params).checkpoint_id is not None:
        return "checkpoint"
    return "fitted" if run.engine == "stdpose" and job.params.get("adapt") else None


def measured(session: Session, run: Run) -> tuple[Measurement | None, Sequence[Measurement]]:
    """What was measured of an engine on its run's video, and on others of the project."""
    video = session.get_one(Video, run.video_id)
    own = session.get(Measurement, (run.video_id, run.engine))
    return own, session.scalars(_others(select(Measurement), video, run.engine)).all()


def errors(storage: Storage, digests: Sequence[str]) -> dict[str, Residuals]:
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


def _others(query: Select[Thing], video: Video, engine: str) -> Select[Thing]:
    query = query.join(Video, Video.id == Measurement.video_id).join(Project, Project.id == Video.project_id)
    mine = Video.project_id == video.project_id, Video.id != video.id, visible.VIDEO
    return query.where(Measurement.engine == engine, *mine).order_by(Measurement.run_id.desc()).limit(MOST_VIDEOS)


def _made(engines: Mapping[str, Calibration]) -> Basis:
    data = written.encode(engines)
    return Basis(hashlib.sha256(data.encode()).hexdigest(), data)


_worked_out: LRUCache[tuple[Grounds, ...], Basis | None] = LRUCache(1024)
_decoded: LRUCache[str, Mapping[str, Calibration]] = LRUCache(256)
_objects: LRUCache[str, Residuals] = LRUCache(512)
_lock = Lock()
