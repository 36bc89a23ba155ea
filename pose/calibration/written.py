"""Calibrations of a video as text that can be kept: what is read by it later is read alike, to the last bit.

JSON writes floating-point numbers so that they come back as they were. Of a spread few values are kept
(``Spread.thinned``), so that what is written takes some kilobytes, however many keyframes are behind it; who calibrates
by what was written reads it back first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from pose.calibration.calibration import LEVEL, Calibration, State, Told
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime
from pose.calibration.spread import Spread

_VERSION = 1


def encode(engines: Mapping[str, Calibration]) -> str:
    """Write the calibrations of a video, by engine; equal ones are the same text."""
    told = {
        name: {regime.name.lower(): _written(one.scales[regime], known) for regime, known in sorted(one.told.items())}
        for name, one in sorted(engines.items())
    }
    return json.dumps({"version": _VERSION, "engines": told}, separators=(",", ":"), allow_nan=False)


def decode(text: str) -> dict[str, Calibration]:
    """Read what was written.

    Raises:
        ValueError: It is something else, or of a later version.
    """
    try:
        found = json.loads(text)
        if found["version"] != _VERSION:
            raise ValueError(f"calibrations of version {found['version']} cannot be read; this is too old")
        return {name: _calibration(regimes) for name, regimes in found["engines"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("this text is no calibration") from error


def _written(scale: Scale, told: Told) -> dict[str, Any]:
    few = told.spread.thinned(LEVEL)
    return {
        "state": str(told.state),
        "keyframes": told.keyframes,
        "videos": told.videos,
        "shipped": told.shipped,
        "scale": {"floor": scale.floor, "exponent": scale.exponent, "trust": scale.trust},
        "level": told.level,
        "keypoints": told.keypoints.tolist(),
        "values": few.values.tolist(),
        "mass": few.mass.tolist(),
    }


def _calibration(regimes: Mapping[str, Any]) -> Calibration:
    scales, told = {}, {}
    for name, one in regimes.items():
        regime = Regime[name.upper()]
        scales[regime] = Scale(**one["scale"])
        told[regime] = Told(
            state=State(one["state"]),
            keyframes=int(one["keyframes"]),
            videos=int(one["videos"]),
            shipped=int(one["shipped"]),
            level=float(one["level"]),
            keypoints=np.array(one["keypoints"], dtype=float),
            spread=Spread(np.array(one["values"], dtype=float), np.array(one["mass"], dtype=float)),
        )
    return Calibration(scales, told)
