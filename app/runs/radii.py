"""Radii and scores of runs as a basis reads them: calibrated where the engine's errors on the video are known.

What is read depends on the run's poses, on the labels that it was made from and on the basis, none of which changes, so
what was worked out last is remembered, a segment of a track, or its part of a slab, at a time. Points of people stay as
they are, and so do those on damaged frames and those of which too little is known (``pose.calibration``).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock

import numpy as np
from cachetools import LRUCache
from sqlalchemy.orm import Session

from app.runs.basis import Basis, learnt
from app.runs.keyframes import keyframes_of
from app.tables import Job, Run, Video
from pose.calibration.calibration import Calibration, State
from pose.calibration.situation import situation
from pose.damage import inside
from pose.track import Track

#: Bytes of read radii, and of labels that runs were made from, which are remembered.
_MOST_RADII, _MOST_LABELS = 96 * 2**20, 64 * 2**20

STATES = (State.PRIOR, State.PROVISIONAL, State.CALIBRATED)


@dataclass(frozen=True, eq=False)
class Read:
    """A part of a track as a basis reads it.

    Attributes:
        radius90: ``(F, K)`` float32 pixels.
        score: ``(F, K)`` float32.
        rests: ``(F, K)`` uint16 what each point's radius rests on, see ``state_of``.
    """

    radius90: np.ndarray
    score: np.ndarray
    rests: np.ndarray

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.radius90.nbytes + self.score.nbytes + self.rests.nbytes


def state_of(rests: int) -> tuple[State, int]:
    """What a radius rests on, and how many hidden keyframes of the video are behind it."""
    return STATES[rests & 3], rests >> 2


class Radii:
    """Reads radii of a video's runs by a basis.

    Args:
        session: The transaction.
        video: Whose runs.
        basis: What they are read by.
        run: Read all poses as if they were those of this run, with which they share their segments; None for their own.
    """

    def __init__(self, session: Session, video: Video, basis: Basis, run: int | None = None) -> None:
        self._session = session
        # Another service's database may hold another run of the same number.
        self._database = str(session.get_bind().engine.url)
        self._video = video
        self._basis = basis
        self._run = run
        self._engines: dict[int, Calibration | None] = {}

    def key(self, run: int) -> Hashable:
        """What radii of a run's poses depend on beside the poses; None where they are read as they are."""
        run = self._run or run
        return None if self._calibration(run) is None else (self._database, self._basis.sha256, run)

    def read(
        self,
        run: int,
        place: tuple[int, int, str],
        visibility: np.ndarray,
        radius90: np.ndarray,
        score: np.ndarray,
    ) -> Read | None:
        """Read the poses of a part of a track.

        Args:
            run: Whose they are.
            place: Track, first frame and object of the part.
            visibility: ``(F, K)`` of its poses.
            radius90: ``(F, K)`` as the engine gave them.
            score: ``(F, K)`` as the engine gave them.

        Returns:
            What is read; None where the poses are read as they are.
        """
        calibration = self._calibration(self._run or run)
        if calibration is None:
            return None
        asked = self.key(run), place, visibility.shape
        with _lock:
            known = _remembered.get(asked)
        if known is None:
            known = self._work_out(calibration, self._run or run, place, visibility, radius90, score)
            with _lock:
                if known.bytes <= _MOST_RADII:
                    _remembered[asked] = known
        return known

    def _calibration(self, run_id: int) -> Calibration | None:
        if run_id not in self._engines:
            run = self._session.get_one(Run, run_id)
            known = self._basis.engines.get(run.engine)
            self._engines[run_id] = known if known is not None and learnt(self._session, run) is None else None
        return self._engines[run_id]

    def _work_out(
        self,
        calibration: Calibration,
        run: int,
        place: tuple[int, int, str],
        visibility: np.ndarray,
        radius90: np.ndarray,
        score: np.ndarray,
    ) -> Read:
        track, start, _ = place
        keyframes = self._keyframes(run).get(track, Track.empty(visibility.shape[1]))
        poses = Track(
            frames=np.arange(start, start + len(visibility), dtype=np.int64),
            xy=np.zeros((*visibility.shape, 2), dtype=np.float32),
            visibility=visibility,
            score=score,
            radius90=radius90,
        )
        if keyframes.num_keypoints != poses.num_keypoints:  # of another run's skeleton: nothing is known of it
            return Read(radius90, score, np.zeros(visibility.shape, dtype=np.uint16))
        diagonal = float(np.hypot(self._video.width or 0, self._video.height or 0))
        known = situation(poses, keyframes, diagonal)
        read = calibration.applied(poses, known, diagonal)
        rests = np.zeros(visibility.shape, dtype=np.uint16)
        for regime, told in calibration.told.items():
            rests[known.machine & (known.regime == regime)] = STATES.index(told.state) | told.keyframes << 2
        # No keyframe is hidden on a damaged frame, which shows another one's picture: the worker's doubt stands there.
        bad = inside(self._video.damaged or (), poses.frames)[:, None]
        return Read(
            np.where(bad, radius90, read.radius90), np.where(bad, score, read.score), np.where(bad, np.uint16(0), rests)
        )

    def _keyframes(self, run_id: int) -> dict[int, Track]:
        run = self._session.get_one(Run, run_id)
        asked = self._database, run_id, run.created_at
        with _lock:
            known = _labels.get(asked)
        if known is None:
            job = self._session.get_one(Job, run.job_id)
            known = keyframes_of(self._session, job, run, self._video)
            with _lock:
                if _size(known) <= _MOST_LABELS:
                    _labels[asked] = known
        return known


def _size(tracks: dict[int, Track]) -> int:
    return sum(track.xy.nbytes * 3 + 1024 for track in tracks.values())


# Neither a run's labels nor its poses change, so what was read is read again alike.
_remembered: LRUCache[Hashable, Read] = LRUCache(_MOST_RADII, getsizeof=lambda read: read.bytes)
_labels: LRUCache[Hashable, dict[int, Track]] = LRUCache(_MOST_LABELS, getsizeof=_size)
_lock = Lock()
