"""What optical flow found, as the network is shown it."""

from __future__ import annotations

import numpy as np

from models.engines.flow import Weighed

_HIGHEST = 10.0  # logarithm of a weight that is trusted entirely


def trust_of(weighed: Weighed) -> np.ndarray:
    """How far flow trusts its parts, ``(5, F, K)`` from -1, where there is no such part, to 1."""
    trust: np.ndarray = np.clip(weighed.log_weight / _HIGHEST, -1, 1)
    return trust
