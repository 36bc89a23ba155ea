from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.calibration.scale import Scale

POSITIVE = st.floats(1e-3, 1e3)


@given(POSITIVE, POSITIVE, st.floats(1, 10), st.floats(0, 2), st.floats(0, 2))
def test_sigma_never_falls_with_the_gap_or_the_raw_radius(gap, raw, more, exponent, trust):
    scale = Scale(floor=0.005, exponent=exponent, trust=trust)
    here = scale.log(np.array([gap, gap * more, gap]), np.array([raw, raw, raw * more]))
    assert np.isfinite(here).all()
    assert here[1] >= here[0] - 1e-12
    assert here[2] >= here[0] - 1e-12


@pytest.mark.parametrize("wrong", [{"floor": -1.0}, {"exponent": -0.1}, {"trust": float("nan")}])
def test_what_would_turn_the_order_round_is_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is 0 or more"):
        Scale(**{"floor": 0.005, "exponent": 0.5, "trust": 0.5} | wrong)
