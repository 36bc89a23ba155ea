"""A look over a video, frame by frame: how sure a machine is, what is labelled, absent, stale, accepted or rejected."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from sqlalchemy.orm import Session

from app.labels import history
from app.labels.absences import vacancies
from app.projects import service as projects
from app.reviews import standing
from app.reviews.standing import RadiusOf
from app.runs import poses
from app.runs.basis import Basis, same, stored
from app.runs.poses import PseudoLabels
from app.runs.profiles import Profile, profiles
from app.runs.radii import Radii
from app.runs.staleness import Grounds
from app.storage import Storage
from app.tables import Video
from app.tracks import service as tracks
from pose.damage import inside
from pose.track import Track


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a track in a window of frames.

    Attributes:
        profile: How sure a machine is; nothing where there is no pose, or the subject is absent.
        labelled: ``(F,)`` bool: a person gave a point a place.
        absent: ``(F,)`` bool: by what people said the subject is not there.
        stale: ``(F,)`` bool: a machine's points rest on labels that do not stand any more.
        accepted: ``(F,)`` bool: a person accepted all of a machine's points.
        rejected: ``(F,)`` bool: a person rejected all of a machine's points.
    """

    profile: Profile
    labelled: np.ndarray
    absent: np.ndarray
    stale: np.ndarray
    accepted: np.ndarray
    rejected: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """``(F,)`` bool: a machine's pose is seen."""
        seen: np.ndarray = ~np.isnan(self.profile.score) & ~self.absent
        return seen


def survey(
    session: Session,
    storage: Storage,
    video: Video,
    *,
    start: int,
    stop: int,
    only: Collection[int] | None = None,
    basis: Basis | None = None,
) -> dict[int, Survey]:
    """Look over the tracks of a video, or some of them, on the frames ``start <= frame < stop``.

    A machine's scores and radii are read by ``basis``, or are those that engines gave.
    """
    whole = projects.skeleton(session, video.project_id)
    size, points = whole.size, whole.points
    numbers = sorted(number for number in tracks.numbers(session, video) if only is None or number in only)
    runs = poses.visible_runs(session, video.id)
    there = _There(session, storage, video, runs, points, start, stop)
    found = there.read(basis, numbers)
    labels = history.read(session, video.id, size, start=start, stop=stop, tracks=numbers)
    empty = vacancies(session, video.id, size, start=start, stop=stop, tracks=numbers)
    said = standing.verdicts(
        session,
        video,
        {number: _shown(profile, start) for number, profile in found.items()},
        1,
        start=start,
        stop=stop,
        whole=True,
        radii=there.radii(basis, found),
    )
    grounds, frames = Grounds(video, size), np.arange(start, stop, dtype=np.int64)
    surveys = {}
    for number in numbers:
        none = np.zeros((6, stop - start), dtype=bool)
        labelled, absent, stale, accepted, rejected, _ = none
        mine = (labels.tracks == number) & (labels.keypoints[:, points, 2] > 0).any(axis=1)
        labelled[labels.frames[mine] - start] = True
        if number in empty:
            absent |= empty[number][:, points].all(axis=1)
        profile = found.get(number) or _nothing(stop - start)
        for run in np.unique(profile.runs[profile.runs > 0]).tolist():
            owned = profile.runs == run
            judged = grounds.stale(session, run)
            if judged.spans.get(number):
                stale[owned] = judged.cover(number, frames[owned], size)[:, points].any(axis=1)
        if number in said:
            rows = ~np.isnan(profile.score)
            accepted[rows], rejected[rows] = said[number].accepted[:, 0], said[number].rejected[:, 0]
        surveys[number] = Survey(
            profile, labelled, absent, stale & ~labelled, accepted & ~stale & ~labelled, rejected & ~labelled
        )
    return surveys


@dataclass(frozen=True)
class _There:
    """How sure a machine is in a window."""

    session: Session
    storage: Storage
    video: Video
    runs: Sequence[int]
    points: np.ndarray
    start: int
    stop: int

    def read(self, basis: Basis | None, tracks: Collection[int], run: int | None = None) -> dict[int, Profile]:
        """Read it by a basis; with ``run`` as if all poses were that one's."""
        radii = None if basis is None else Radii(self.session, self.video, basis, run)
        window = {"start": self.start, "stop": self.stop}
        return profiles(self.session, self.storage, self.runs, self.points, **window, tracks=tracks, radii=radii)

    def radii(self, basis: Basis | None, found: Mapping[int, Profile]) -> RadiusOf:
        """What the widest radii of profiles that were read by ``basis`` are by those that reviews name."""

        @cache
        def read_by(sha256: str | None, run: int) -> dict[int, Profile]:
            return self.read(stored(self.session, self.video.id, sha256), [*found], run)

        def radius_of(sha256: str | None, run: int, track: int) -> np.ndarray:
            shown = found[track]
            profile = shown if same(basis, sha256, shown.runs, run) else read_by(sha256, run)[track]
            radii: np.ndarray = profile.radius90[~np.isnan(shown.score)][:, None]
            return radii

        return radius_of


def damaged(video: Video, start: int, stop: int) -> np.ndarray:
    """``(F,)`` bool: frames that show another one's picture."""
    return inside(video.damaged or (), np.arange(start, stop, dtype=np.int64))


def _shown(profile: Profile, start: int) -> PseudoLabels:
    """A profile as poses of one point, which is as unsure as the worst one."""
    rows = np.flatnonzero(~np.isnan(profile.score))
    shape = len(rows), 1
    track = Track(
        frames=rows + start,
        xy=np.zeros((*shape, 2), dtype=np.float32),
        visibility=np.ones(shape, dtype=np.uint8),
        score=profile.score[rows][:, None],
        radius90=profile.radius90[rows][:, None],
    )
    return PseudoLabels(track, profile.runs[rows])


def _nothing(count: int) -> Profile:
    return Profile(np.zeros(count, dtype=np.int64), *np.full((2, count), np.nan, dtype=np.float32))
