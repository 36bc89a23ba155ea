import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose import boxes

some_boxes = arrays(float, (3, 4), elements=st.floats(0, 500))


def test_box_holds_the_known_points_only():
    xy = np.array([[2.0, 3.0], [10.0, 5.0], [np.nan, 900.0]])
    np.testing.assert_allclose(boxes.around(xy, np.array([2, 1, 0])), [2, 3, 8, 2])


def test_padding_is_relative_to_the_longer_side_and_has_a_minimum():
    xy = np.array([[0.0, 0.0], [100.0, 20.0]])
    np.testing.assert_allclose(boxes.around(xy, np.array([2, 2]), relative=0.1, minimum=4), [-10, -10, 120, 40])
    np.testing.assert_allclose(boxes.around(xy, np.array([2, 2]), relative=0.01, minimum=4), [-4, -4, 108, 28])


def test_single_point_has_a_positive_box():
    np.testing.assert_allclose(boxes.around(np.array([[7.0, 9.0]]), np.array([1]), minimum=3), [4, 6, 6, 6])


def test_no_known_point_gives_an_empty_box_even_with_padding():
    poses = np.full((2, 3, 2), np.nan)
    np.testing.assert_array_equal(boxes.around(poses, np.zeros((2, 3)), relative=0.5, minimum=3), np.zeros((2, 4)))


def test_leading_axes_are_kept():
    rng = np.random.default_rng(0)
    xy, visibility = rng.uniform(0, 50, (4, 5, 6, 2)), rng.integers(0, 3, (4, 5, 6))
    together = boxes.around(xy, visibility, minimum=1)
    assert together.shape == (4, 5, 4)
    np.testing.assert_array_equal(together[2, 3], boxes.around(xy[2, 3], visibility[2, 3], minimum=1))


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ([-5, 10, 20, 20], [0, 10, 15, 20]),
        ([90, 70, 20, 20], [90, 70, 10, 10]),
        ([-50, 10, 20, 20], [0, 10, 1, 20]),
        ([300, -90, 20, 20], [99, 0, 1, 1]),
    ],
)
def test_clip_keeps_the_part_in_the_image_or_a_strip_at_its_border(box, clipped):
    np.testing.assert_allclose(boxes.clip(np.array(box), 100, 80, least=1), clipped)


def test_scale_keeps_the_centre():
    np.testing.assert_allclose(boxes.scale(np.array([10, 20, 30, 40]), 2), [-5, 0, 60, 80])
    np.testing.assert_allclose(
        boxes.scale(np.array([[0, 0, 4, 4], [0, 0, 4, 4]]), np.array([1, 0.5])), [[0, 0, 4, 4], [1, 1, 2, 2]]
    )


def test_union_does_not_count_empty_boxes():
    np.testing.assert_allclose(boxes.union(np.array([[10, 10, 5, 5], [0, 0, 0, 9], [30, 12, 2, 20]])), [10, 10, 22, 22])
    np.testing.assert_array_equal(boxes.union(np.zeros((3, 4))), np.zeros(4))
    np.testing.assert_array_equal(boxes.union(np.zeros((0, 4))), np.zeros(4))


@given(some_boxes)
def test_union_holds_every_box(a):
    low, high = boxes.corners(boxes.union(a))
    solid = (a[:, 2:] > 0).all(axis=1)
    assert (boxes.corners(a[solid])[0] >= low).all()
    assert (boxes.corners(a[solid])[1] <= high + 1e-9).all()
