"""A machine's poses in a window: by what the window is read, and by what a review was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from sqlalchemy.orm import Session

from app.reviews.standing import RadiusOf
from app.runs import poses
from app.runs.basis import Basis, same, stored
from app.runs.poses import PseudoLabels
from app.runs.radii import Radii
from app.storage import Step, Storage, go_on
from app.tables import Video
from pose.formats import slab


@dataclass(frozen=True)
class Machine:
    """A machine's poses in a window."""

    session: Session
    storage: Storage
    video: Video
    runs: Sequence[int]
    num_keypoints: int
    start: int
    stop: int

    def read(
        self, basis: Basis | None, run: int | None = None, tracks: Sequence[int] | None = None, step: Step = go_on
    ) -> dict[int, PseudoLabels]:
        """Read them by a basis; with ``run`` as if they were that one's, with ``tracks`` the radii of these alone."""
        return poses.read(
            self.session,
            self.storage,
            self.runs,
            self.num_keypoints,
            start=self.start,
            stop=self.stop,
            step=step,
            radii=None if basis is None else Radii(self.session, self.video, basis, run),
            tracks=tracks,
            fields=(*slab.FIELDS,) if tracks is None else ("visibility", "radius90"),
        )

    def radii(self, basis: Basis | None, pseudo: Mapping[int, PseudoLabels]) -> RadiusOf:
        """What the radii of poses that were read by ``basis`` are by those that reviews name."""

        @cache
        def read_by(sha256: str | None, run: int) -> dict[int, PseudoLabels]:
            return self.read(stored(self.session, self.video.id, sha256), run, [*pseudo])

        def radius_of(sha256: str | None, run: int, track: int) -> np.ndarray:
            shown = pseudo[track]
            if same(basis, sha256, shown.runs, run):
                return shown.poses.radius90
            read = read_by(sha256, run)[track].poses
            return read.radius90[np.searchsorted(read.frames, shown.poses.frames)]

        return radius_of
