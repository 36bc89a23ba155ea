"""The scale that errors are measured by before they are compared: what the gap and the engine let one expect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How errors grow with the gap and with the engine's own error bar.

    ``sigma ** 2 = floor ** 2 + gap ** (2 * exponent) * raw ** (2 * trust)``, up to a factor that each video's keyframes
    tell. The raw radius holds all the difficulty that the engine saw (how far flow from both sides lies apart, what the
    verifier judged, whether the point looks like its label). Sigma never falls where the gap or the raw radius grows.

    Args:
        floor: What people's labels are uncertain by, a share of the subject's size.
        exponent: Of the gap scale, 0 or more.
        trust: Exponent of the raw radius, 0 or more.

    Raises:
        ValueError: One of them is negative, or not finite.
    """

    floor: float
    exponent: float
    trust: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is 0 or more, not {value}")

    def log(self, gap: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """The logarithm of sigma.

        Args:
            gap: Gap scales, positive.
            raw: Raw radii over the subject's size, positive.
        """
        grown = gap**self.exponent * raw**self.trust
        log: np.ndarray = 0.5 * np.log(self.floor**2 + grown**2)
        return log
