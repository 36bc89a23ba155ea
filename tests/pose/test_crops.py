from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pose.crops import Crop, crop_around


def around(points: list[tuple[float, float]], size: float, width: int = 640, height: int = 480) -> Crop:
    return crop_around(np.array(points), size, width, height, scaled_size=160, margin=0.4, longest=640)


@given(st.floats(-500, 2000), st.floats(-500, 2000), st.floats(16, 3000), st.integers(2, 4000), st.integers(2, 3000))
def test_a_crop_lies_in_the_frame_and_is_bounded(x: float, y: float, size: float, width: int, height: int) -> None:
    crop = around([(x, y), (x + 50, y + 70)], size, width, height)
    assert crop.left >= 0
    assert crop.top >= 0
    assert crop.width >= 1
    assert crop.height >= 1
    assert crop.left + crop.width <= width
    assert crop.top + crop.height <= height
    assert min(crop.out_width, crop.out_height) >= 1
    assert max(crop.out_width, crop.out_height) <= 640


@given(st.floats(0, 639), st.floats(0, 479))
def test_mapping_there_and_back_is_the_identity(x: float, y: float) -> None:
    crop = around([(100, 100), (300, 400)], 360)
    assert np.allclose(crop.to_frame(crop.to_crop(np.array([x, y]))), (x, y))


def test_a_point_stays_on_its_pixel() -> None:
    frame = np.zeros((480, 640), dtype=np.uint8)
    frame[198:203, 250:255] = 255
    crop = around([(200, 100), (300, 300)], 224)
    rows, columns = np.nonzero(crop.cut(frame) > 127)
    found = crop.to_frame(np.array([columns.mean(), rows.mean()]))
    assert np.abs(found - (252, 200)).max() < 1


def test_subjects_come_out_at_one_size() -> None:
    for size in (100.0, 200.0, 400.0):
        crop = around([(200, 100), (210, 200)], size)
        assert np.allclose(crop.scale * size, 160, rtol=0.02)


def test_small_subjects_are_not_enlarged_without_end() -> None:
    assert np.allclose(around([(200, 100), (210, 110)], 16).scale, 2)
