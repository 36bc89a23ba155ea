"""Make ``pose/calibration/shipped.npz``: what engines make of hidden keyframes of rendered videos.

Run ``python -m benchmarks.shipped_residuals --rows FOLDER --engines linear,flow,stdpose -o FILE``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.hidden_keyframes import collect, rendered
from pose.calibration.residuals import Residuals, concatenate
from pose.calibration.situation import Regime

_VIDEOS = 12
_EVERY = 10
_KEYFRAMES = 6  # of a video, in each regime
_POINTS = 6  # of a keyframe


def thinned(hidden: Residuals) -> Residuals:
    """Some keyframes and points of a video, drawn at random."""
    rng = np.random.default_rng(0)
    parts = []
    for regime in Regime:
        some = hidden.select(hidden.regime == regime)
        number, count = some.keyframes()
        for keyframe in rng.permutation(count)[:_KEYFRAMES]:
            rows = np.flatnonzero(number == keyframe)
            parts.append(some.select(np.sort(rng.permutation(rows)[:_POINTS])))
    return concatenate(parts)


def main() -> None:
    """Propagate, thin out, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True, help="folder where what engines made is kept")
    parser.add_argument("--engines", default="linear,flow,stdpose")
    parser.add_argument("-o", "--output", type=Path, required=True)
    wish = parser.parse_args()
    arrays: dict[str, np.ndarray] = {}
    for engine in wish.engines.split(","):
        videos = [thinned(rows.hidden) for rows in collect(rendered(_VIDEOS), engine, _EVERY, wish.rows, 1)]
        together = concatenate(videos)
        arrays[f"{engine} video"] = np.repeat(np.arange(_VIDEOS), [len(one) for one in videos]).astype(np.uint8)
        kinds = {"frame": np.uint8, "keypoint": np.uint8, "regime": np.uint8}
        for name in ("frame", "keypoint", "regime", "gap", "raw", "error"):
            arrays[f"{engine} {name}"] = getattr(together, name).astype(kinds.get(name, np.float16))
        print(f"{engine}: {len(together)} points of {_VIDEOS} videos")
    np.savez_compressed(wish.output, **arrays)


if __name__ == "__main__":
    main()
