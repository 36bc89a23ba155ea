"""When frames are shown."""

from __future__ import annotations

import numpy as np

#: Spacing that counts as even: the rounding of timestamps in milliseconds, a tenth of an interval, and less than half
#: an interval away from where an even rate puts a frame.
_ROUNDING, _JITTER, _ASTRAY = 1e-3, 0.1, 0.45


def varies(times: np.ndarray, unit: float) -> bool:
    """Return whether frames are spaced unevenly, by more than what rounding their times does.

    Args:
        times: ``(F,)`` seconds, ascending.
        unit: Seconds to which times were rounded.
    """
    if len(times) < 3:
        return False
    intervals = np.diff(times)
    usual = float(np.median(intervals))
    mean = float(times[-1] - times[0]) / (len(times) - 1)
    astray = np.abs(times - times[0] - np.arange(len(times)) * mean).max()
    rounding = unit if mean > 1.5 * unit else 0.0
    if astray > _ASTRAY * mean + rounding:
        return True
    return bool(np.abs(intervals - usual).max() > 1.01 * max(unit, _ROUNDING, _JITTER * usual))
