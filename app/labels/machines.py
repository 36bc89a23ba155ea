"""A machine's poses in a window: by what the window is read, and by what a review was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from sqlalchemy.orm import Session

from app.reviews.standing import RadiusOf
from app.runs import poses
from app.runs.basis import Basis, stored
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
        self, basis: Basis | None, run: int | None = None, track: int | None = None, step: Step = go_on
    ) -> dict[int, PseudoLabels]:
        """Read them by a basis; with ``run`` as if they were that one's, and with ``track`` the radii of it alone."""
        return poses.read(
            self.session,
            self.storage,
            self.runs,
            self.num_keypoints,
            start=self.start,
            stop=self.stop,
            step=step,
            radii=None if basis is None else Radii(self.session, self.video, basis, run),
            tracks=None if track is None else [track],
            fields=(*slab.FIELDS,) if track is None else ("visibility", "radius90"),
        )

    def radii(self, basis: Basis | None, pseudo: Mapping[int, PseudoLabels]) -> RadiusOf:
        """What the radii of poses that were read by ``basis`` are by those that reviews name."""

        @cache
        def radius_of(sha256: str | None, run: int, track: int) -> np.ndarray:
            shown = pseudo[track]
            if sha256 is None and basis is None:
                return shown.poses.radius90
            named = stored(self.session, self.video.id, sha256)
            read = self.read(named, run, track)[track].poses
            return read.radius90[np.searchsorted(read.frames, shown.poses.frames)]

        return radius_of
