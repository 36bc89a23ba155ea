"""What is known before anybody has labelled: hidden keyframes of rendered videos, and how errors grow.

The residuals are those of twelve rendered videos of 61 frames with a keyframe every ten, which no training saw
(``benchmarks/shipped_residuals.py`` makes the file). They stand in for the videos that a project does not have yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np

from pose.calibration.residuals import Residuals
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime

#: How errors grow, of every engine alike. A raw radius grows with the gap by itself, so that little is left for the
#: exponent of the gap. Chosen on a grid of five by five, by the pinball loss of the calibrated radii of ``linear`` and
#: ``flow`` on real people, flies and rendered clips.
SCALES: Mapping[Regime, Scale] = MappingProxyType(
    {regime: Scale(floor=0.003, exponent=0.1, trust=0.75) for regime in Regime}
)

#: The file's arrays of an engine: ``video`` tells the rows apart, the others are those of ``Residuals``.
FIELDS = ("video", "frame", "keypoint", "regime", "gap", "raw", "error")


@cache
def shipped(engine: str) -> tuple[Residuals, ...]:
    """Residuals of videos that come with the package, by the name of the engine; of none for an engine not measured.

    An engine that was fitted to a video's labels is another one than it was before: it goes by another name, of which
    there are none.
    """
    with (files("pose.calibration") / "shipped.npz").open("rb") as file, np.load(file, allow_pickle=False) as kept:
        if f"{engine} video" not in kept:
            return ()
        arrays = {name: kept[f"{engine} {name}"] for name in FIELDS}
    videos = []
    for video in np.unique(arrays["video"]):
        rows = arrays["video"] == video
        videos.append(
            Residuals(
                track=np.ones(int(rows.sum()), dtype=np.int64),
                frame=arrays["frame"][rows].astype(np.int64),
                keypoint=arrays["keypoint"][rows].astype(np.int64),
                regime=arrays["regime"][rows],
                gap=arrays["gap"][rows].astype(np.float64),
                raw=arrays["raw"][rows].astype(np.float64),
                error=arrays["error"][rows].astype(np.float64),
            )
        )
    return tuple(videos)
