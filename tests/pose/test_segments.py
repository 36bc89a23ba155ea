import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.segments import Segment, anchors, plan, relevant, vacant
from pose.track import Track


def labels(visibility, frames=None):
    visibility = np.asarray(visibility)
    frames = np.arange(len(visibility)) if frames is None else frames
    xy = np.arange(visibility.size * 2).reshape(*visibility.shape, 2)
    return Track.labelled(frames, np.concatenate([xy, visibility[..., None]], axis=-1))


def test_a_keyframe_begins_its_segment():
    keyframes = labels([[2], [2]], [10, 30])
    assert plan(keyframes, 0, 50) == [Segment(0, 10), Segment(10, 30), Segment(30, 50)]


def test_long_gaps_are_cut_into_windows():
    keyframes = labels([[2], [2]], [0, 1100])
    assert [len(segment) for segment in plan(keyframes, 0, 1101, longest=512)] == [512, 512, 76, 1]


@given(
    st.sets(st.integers(0, 60), max_size=8),
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted),
    st.integers(1, 20),
)
def test_segments_leave_no_frame_out_and_share_none(frames, span, longest):
    start, stop = span
    segments = plan(labels(np.full((len(frames), 1), 2), sorted(frames)), start, stop, longest)
    covered = [frame for segment in segments for frame in segment.frames]
    assert covered == list(range(start, stop))
    assert all(1 <= len(segment) <= longest for segment in segments)


def test_every_keypoint_has_its_own_anchors():
    keyframes = labels([[2, 2], [0, 1], [2, 0]], [0, 10, 20])
    found = anchors(keyframes, np.array([0, 5, 10, 15, 20, 25]))
    assert found.before.tolist() == [[0, 0], [0, 0], [0, 1], [0, 1], [2, 1], [2, 1]]
    assert found.after.tolist() == [[0, 0], [2, 1], [2, 1], [2, -1], [2, -1], [-1, -1]]


visibilities = st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=1, max_size=12)


@given(visibilities, st.integers(0, 40), st.integers(1, 20))
def test_what_is_relevant_gives_the_same_anchors(visibility, start, length):
    keyframes = labels(visibility, np.arange(len(visibility)) * 4)
    segment = Segment(start, start + length)
    near = relevant(keyframes, segment)
    full, cut = anchors(keyframes, segment.frames), anchors(near, segment.frames)
    for name in ("before", "after"):
        rows, other = getattr(full, name), getattr(cut, name)
        assert ((rows < 0) == (other < 0)).all()
        known = rows >= 0
        assert (keyframes.frames[rows[known]] == near.frames[other[known]]).all()


@pytest.mark.parametrize("row", [0, 3])
def test_a_far_label_is_not_relevant(row):
    keyframes = labels([[2]] * 4, [0, 10, 20, 30])
    assert keyframes.frames[row] not in relevant(keyframes, Segment(10, 20)).frames


def said(states, frames):
    """Labels of points that have a place (2), are absent (-1), or of which nothing is said (0)."""
    states = np.array(states)
    return Track.labelled(frames, np.stack([np.zeros(states.shape)] * 2 + [np.maximum(states, 0)], axis=-1), states < 0)


def test_there_is_no_room_between_two_absences():
    keyframes = said([[2], [-1], [-1], [2]], [0, 3, 6, 9])
    assert np.flatnonzero(vacant(keyframes, np.arange(12))[:, 0]).tolist() == [3, 4, 5, 6]


def test_there_is_no_room_beyond_an_absence_at_the_end():
    keyframes = said([[-1], [2], [-1]], [2, 4, 6])
    assert np.flatnonzero(vacant(keyframes, np.arange(9))[:, 0]).tolist() == [0, 1, 2, 6, 7, 8]


def test_every_keypoint_has_its_own_absences():
    keyframes = said([[-1, 2, 0], [0, -1, 0], [-1, 0, -1]], [0, 2, 4])
    assert vacant(keyframes, np.arange(5)).T.tolist() == [
        [True] * 5,
        [False, False, True, True, True],
        [True] * 5,
    ]


def test_an_absence_ends_what_is_relevant():
    keyframes = said([[2], [-1], [-1], [2]], [0, 10, 20, 30])
    assert relevant(keyframes, Segment(0, 10)).frames.tolist() == [0, 10]
    assert relevant(keyframes, Segment(10, 20)).frames.tolist() == [10, 20]
    assert relevant(keyframes, Segment(20, 30)).absent.tolist() == [[True], [False]]


@given(
    st.lists(st.lists(st.sampled_from([-1, 0, 2]), min_size=2, max_size=2), min_size=1, max_size=12),
    st.integers(0, 40),
    st.integers(1, 20),
)
def test_what_is_relevant_leaves_the_same_room(states, start, length):
    keyframes = said(states, np.arange(len(states)) * 4)
    segment = Segment(start, start + length)
    expected = vacant(keyframes, segment.frames)
    assert (vacant(relevant(keyframes, segment), segment.frames) == expected).all()
