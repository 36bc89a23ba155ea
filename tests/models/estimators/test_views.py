from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.estimators.views import ViewChange, view_of

BOX = np.array([40.0, 20.0, 30.0, 60.0])
CHANGES = st.builds(
    ViewChange,
    angle=st.floats(-80, 80),
    scale=st.floats(0.6, 1.4),
    shift=st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)),
    mirrored=st.booleans(),
)


@given(CHANGES)
def test_there_and_back(change: ViewChange) -> None:
    view, points = view_of(BOX, 128, 96, change), np.random.default_rng(0).uniform(-50, 200, (7, 2))
    np.testing.assert_allclose(view.to_frame(view.to_input(points)), points, atol=1e-9)


def test_the_enlarged_box_fills_the_input() -> None:
    view = view_of(BOX, 128, 96)
    low, high = view.to_input(np.array([[55 - 18.75, 50 - 37.5], [55 + 18.75, 50 + 37.5]]))
    np.testing.assert_allclose(high - low, [64, 128])
    np.testing.assert_allclose((low + high) / 2, [47.5, 63.5])


def test_what_is_seen_is_where_the_labels_say() -> None:
    image = np.zeros((120, 140, 3), np.uint8)
    image[60:63, 50:53] = 255
    for change in (ViewChange(), ViewChange(angle=30, scale=1.2, mirrored=True), ViewChange(shift=(0.1, -0.05))):
        view = view_of(BOX, 128, 96, change)
        rows, columns = np.nonzero(view.cut(image)[..., 0] > 127)
        found = np.array([columns.mean(), rows.mean()])
        np.testing.assert_allclose(found, view.to_input(np.array([51.0, 61.0])), atol=0.6)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_view_of_a_scaled_part_is_the_view_of_the_frame(scale: float) -> None:
    view, origin = view_of(BOX, 128, 96, ViewChange(angle=20)), np.array([30.0, 10.0])
    part = view.after(np.array([1 / scale, 1 / scale]), origin)
    place = np.array([12.0, 7.0])
    np.testing.assert_allclose(part.to_input(place), view.to_input(place / scale + origin))
