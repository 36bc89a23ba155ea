import numpy as np
import pytest

from pose.drawing import SIDES, contact_sheet, draw_pose, label_strip, overlay, subject_scheme, write_caption
from pose.skeleton import Skeleton
from pose.track import Track

SKELETON = Skeleton(name="t", keypoints=("left_hand", "right_hand", "head"), edges=((0, 2), (1, 2)), swap=((0, 1),))
XY = np.array([[20.0, 60.0], [100.0, 60.0], [60.0, 20.0]], dtype=np.float32)
SEEN = np.array([2, 2, 2], dtype=np.uint8)


def gray() -> np.ndarray:
    return np.full((90, 120, 3), 120, dtype=np.uint8)


def test_the_frame_is_left_as_it_is() -> None:
    frame = gray()
    frame.setflags(write=False)
    drawn = draw_pose(frame, XY, SEEN, SKELETON, radius90=np.full(3, 9, dtype=np.float32))
    assert (drawn != frame).any()
    assert (frame == 120).all()
    assert (overlay(frame, 0, {}, SKELETON) != frame).any()
    assert (frame == 120).all()


def test_left_right_and_middle_have_their_colours_at_their_points() -> None:
    drawn = draw_pose(gray(), XY, SEEN, SKELETON, keyframe=True, line_width=3)
    for (x, y), colour in zip(XY.astype(int), (SIDES.left, SIDES.right, SIDES.middle), strict=True):
        assert tuple(drawn[y, x]) == colour


def test_names_say_which_side_is_left_when_the_pair_is_the_other_way_round() -> None:
    crossed = Skeleton(name="c", keypoints=("right_hand", "left_hand", "head"), swap=((0, 1),))
    drawn = draw_pose(gray(), XY, SEEN, crossed, keyframe=True, line_width=3)
    assert tuple(drawn[60, 20]) == SIDES.right


def test_keyframes_are_filled_and_pseudo_labels_hollow() -> None:
    filled, hollow = (draw_pose(gray(), XY, SEEN, SKELETON, keyframe=k, line_width=4) for k in (True, False))
    assert tuple(filled[60, 20]) == SIDES.left
    assert hollow[60, 20].max() < 60


def test_what_is_not_known_is_not_drawn() -> None:
    nothing = draw_pose(gray(), np.zeros((3, 2), dtype=np.float32), np.zeros(3, dtype=np.uint8), SKELETON)
    np.testing.assert_array_equal(nothing, gray())
    one = draw_pose(gray(), XY, np.array([0, 2, 0], dtype=np.uint8), SKELETON)
    assert (one[:, :80] == 120).all()
    assert (one[50:70, 90:110] != 120).any()


def test_hidden_points_are_fainter_and_their_edges_dashed() -> None:
    visible = draw_pose(gray(), XY, SEEN, SKELETON)
    hidden = draw_pose(gray(), XY, np.array([1, 1, 1], dtype=np.uint8), SKELETON)
    assert (hidden != 120).any(axis=2).sum() < (visible != 120).any(axis=2).sum()
    assert np.abs(hidden.astype(int) - 120).max() < np.abs(visible.astype(int) - 120).max()


def test_radius90_is_drawn_as_a_circle_of_that_radius() -> None:
    drawn = draw_pose(gray(), XY, np.array([0, 0, 2], dtype=np.uint8), SKELETON, radius90=np.array([0, 0, 15.0]))
    for x, y in ((45, 20), (75, 20), (60, 35), (60, 5)):
        assert (drawn[y - 1 : y + 2, x - 1 : x + 2] != 120).any()
    assert (drawn[20, 50] == 120).all()


def test_lines_grow_with_the_image() -> None:
    def share(size: int) -> float:
        frame = np.full((size, size, 3), 120, dtype=np.uint8)
        drawn = draw_pose(frame, XY * size / 120, SEEN, SKELETON)
        return float((drawn != 120).any(axis=2).mean())

    assert share(1200) == pytest.approx(share(600), rel=0.35)


def test_points_far_outside_the_image_do_no_harm() -> None:
    far = np.array([[-1e6, 5.0], [1e9, -1e9], [60.0, 20.0]], dtype=np.float32)
    drawn = draw_pose(gray(), far, SEEN, SKELETON, radius90=np.array([1e9, 4.0, 4.0]))
    assert drawn.shape == (90, 120, 3)


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((9, 9), dtype=np.uint8), XY, SEEN),
        (np.zeros((9, 9, 3), dtype=np.float32), XY, SEEN),
        (gray(), XY[:2], SEEN),
        (gray(), XY, SEEN[:2]),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"frame is|do not fit"):
        draw_pose(*arguments, SKELETON)


def test_overlay_draws_the_tracks_that_have_the_frame() -> None:
    first = Track.labelled([3], np.concatenate([XY, SEEN[:, None]], axis=1)[None])
    second = Track.labelled([4], np.concatenate([XY, SEEN[:, None]], axis=1)[None])
    tracks = {1: first, 2: second}
    at_three, at_five = (overlay(gray(), index, tracks, SKELETON, caption="") for index in (3, 5))
    assert (at_three != 120).any()
    np.testing.assert_array_equal(at_five, gray())
    at_four = overlay(gray(), 4, tracks, SKELETON, keyframes={2: [4]}, caption="")
    assert tuple(at_four[60, 20]) == subject_scheme(2).left


def test_the_caption_stands_in_the_lower_left_corner() -> None:
    changed = (write_caption(gray(), "12") != 120).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() > 45
    assert columns.max() < 60


def test_a_label_strip_has_its_size_and_ink_even_for_long_text() -> None:
    strip = label_strip(60, "a caption that is far too long for the strip", height=20)
    assert strip.shape == (20, 60, 3)
    assert strip.min() < 200
    assert (strip[:, 0] == strip[0, 0]).all()


def test_a_contact_sheet_holds_every_frame_unchanged() -> None:
    rng = np.random.default_rng(1)
    frames = list(rng.integers(0, 255, (5, 30, 40, 3)).astype(np.uint8))
    sheet = contact_sheet(frames, [str(k) for k in range(5)], columns=3, gap=4)
    assert sheet.shape == (2 * (30 + 16 + 4) + 4, 3 * 44 + 4, 3)
    np.testing.assert_array_equal(sheet[4:34, 4:44], frames[0])
    np.testing.assert_array_equal(sheet[54:84, 48:88], frames[4])
    assert contact_sheet(frames[:2]).shape == (30 + 12, 2 * 46 + 6, 3)


@pytest.mark.parametrize(
    ("frames", "captions", "columns"),
    [([], (), 2), ([gray()], ("a", "b"), 2), ([gray(), gray()[1:]], (), 2), ([gray()], (), 0)],
)
def test_a_contact_sheet_that_cannot_be_laid_out_is_refused(
    frames: list[np.ndarray], captions: tuple[str, ...], columns: int
) -> None:
    with pytest.raises(ValueError, match=r"contact sheet|captions"):
        contact_sheet(frames, captions, columns=columns)
