import numpy as np
import pytest

from pose.track import Track, blank, join


def labels(frames, *points):
    return Track.labelled(frames, np.array(points, dtype=float))


def test_labels_are_sorted_by_frame_and_unknown_points_are_zero():
    track = labels([7, 2], [[1, 2, 2], [9, 9, 0]], [[3, 4, 1], [5, 6, 2]])
    assert track.frames.tolist() == [2, 7]
    assert track.xy[1].tolist() == [[1, 2], [0, 0]]
    assert track.score.tolist() == [[1, 1], [1, 0]]


def test_frames_do_not_repeat():
    with pytest.raises(ValueError, match="ascend"):
        labels([3, 3], [[1, 1, 2]], [[2, 2, 2]])


def test_shapes_must_fit():
    good = blank(np.arange(3), 2)
    with pytest.raises(ValueError, match="do not fit"):
        Track(good.frames[:2], good.xy, good.visibility, good.score, good.radius90)


def test_a_track_over_another_hides_only_the_points_it_knows():
    above = labels([1, 2], [[10, 10, 2], [0, 0, 0]], [[20, 20, 2], [21, 21, 1]])
    below = labels([0, 1], [[1, 1, 2], [2, 2, 2]], [[3, 3, 2], [4, 4, 2]])
    merged = above.over(below)
    assert merged.frames.tolist() == [0, 1, 2]
    assert merged.xy[:, 0].tolist() == [[1, 1], [10, 10], [20, 20]]
    assert merged.xy[:, 1].tolist() == [[2, 2], [4, 4], [21, 21]]
    assert merged.visibility.tolist() == [[2, 2], [2, 2], [2, 1]]


def test_an_empty_track_changes_nothing():
    track = labels([4], [[1, 2, 2]])
    for merged in (track.over(Track.empty(1)), Track.empty(1).over(track)):
        assert merged.frames.tolist() == [4]
        assert merged.xy.tolist() == [[[1, 2]]]


def test_spans_join_to_what_they_were_cut_from():
    track = labels(range(9), *[[[i, i, 2]] for i in range(9)])
    joined = join([track.between(0, 4), track.between(4, 5), track.between(5, 9)])
    assert joined.frames.tolist() == list(range(9))
    assert (joined.xy == track.xy).all()


def absences(frames, keypoints, absent):
    return Track.labelled(frames, np.array(keypoints, dtype=float), np.array(absent))


def test_an_absent_point_hides_the_one_below():
    above = absences([1], [[[10, 10, 2], [0, 0, 0]]], [[False, True]])
    below = labels([0, 1], [[1, 1, 2], [2, 2, 2]], [[3, 3, 2], [4, 4, 2]])
    merged = above.over(below)
    assert merged.visibility.tolist() == [[2, 2], [2, 0]]
    assert merged.absent.tolist() == [[False, False], [False, True]]
    assert merged.xy[1].tolist() == [[10, 10], [0, 0]]
    assert merged.score[1].tolist() == [1, 0]


def test_a_place_hides_the_absence_below():
    above = labels([1], [[10, 10, 2], [0, 0, 0]])
    merged = above.over(absences([1], [[[0, 0, 0]] * 2], [[True, True]]))
    assert merged.absent.tolist() == [[False, True]]
    assert merged.visibility.tolist() == [[2, 0]]


def test_a_point_cannot_be_absent_and_known():
    with pytest.raises(ValueError, match="absent is not known"):
        absences([1], [[[10, 10, 2]]], [[True]])


def test_absences_go_where_their_frames_go():
    track = absences([5, 3], [[[0, 0, 0]], [[1, 1, 2]]], [[True], [False]])
    assert track.frames.tolist() == [3, 5]
    assert track.absent.tolist() == [[False], [True]]
    assert track.between(4, 6).absent.tolist() == [[True]]
    assert join([track.between(0, 4), track.between(4, 9)]).absent.tolist() == [[False], [True]]
    assert track.said.tolist() == [[True], [True]]
    assert not track.without(track.said).said.any()
