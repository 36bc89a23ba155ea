"""What is held out: some of the labels, in stretches of time, the same ones for ever."""

from __future__ import annotations

import numpy as np
import pytest

from app.labels.history import Labels
from app.trainings.holdout import GATE_POSES, GATE_STRETCHES, STRETCH, TooFewLabels, choose
from app.trainings.spans import Span, Spans

NOTHING = Spans()


def labels(frames, tracks=1, keypoints=2):
    """The same points on every frame of every track."""
    frames = np.repeat(np.asarray(frames, dtype=np.int64), tracks)
    points = np.tile(np.float32([10, 20, 2]), (len(frames), keypoints, 1))
    numbers = np.tile(np.arange(1, tracks + 1), len(frames) // tracks)
    return Labels(frames, numbers, points, np.ones(len(frames), dtype=np.int64))


def held(found, spans, video=1):
    return spans.cover(video, found.frames)


def stretches(frames):
    return len(np.unique(frames // STRETCH))


def test_a_fifth_is_held_out():
    found = labels(range(0, 2000, 10))
    new = choose({1: found}, {1: 2000}, NOTHING, seed=0)
    share = held(found, Spans(new)).mean()
    assert 0.2 <= share < 0.3


def test_the_same_labels_and_seed_give_the_same_choice_and_another_seed_another():
    found = {1: labels(range(0, 2000, 10))}
    choices = [tuple(choose(found, {1: 2000}, NOTHING, seed)) for seed in (0, 0, 1, 2)]
    assert choices[0] == choices[1]
    assert len(set(choices)) == 3


def test_a_block_reaches_from_the_label_before_it_to_the_one_after():
    found = labels([5, 25, 45, 65, 85])
    new = choose({1: found}, {1: 100}, NOTHING, seed=0)
    whole = {(0, 25), (6, 45), (26, 65), (46, 85), (66, 100)}
    assert {(span.start, span.stop) for span in new} < whole
    assert held(found, Spans(new)).sum() == 2


def test_enough_is_held_out_for_the_gate_where_there_is_enough():
    dense = labels(range(300))
    chosen = dense.frames[held(dense, Spans(choose({1: dense}, {1: 300}, NOTHING, seed=0)))]
    assert len(chosen) >= GATE_POSES
    assert stretches(chosen) >= GATE_STRETCHES
    assert len(chosen) <= 120
    few = labels(range(0, 600, 20))
    chosen = few.frames[held(few, Spans(choose({1: few}, {1: 600}, NOTHING, seed=0)))]
    assert GATE_POSES <= len(chosen) <= 12
    assert stretches(chosen) >= GATE_STRETCHES


def test_of_five_videos_whole_ones_are_held_out():
    found = {video: labels(range(0, 200, 10)) for video in range(1, 11)}
    new = choose(found, dict.fromkeys(found, 200), NOTHING, seed=0)
    assert [(span.start, span.stop) for span in new] == [(0, 200)] * 2
    assert len({span.video for span in new}) == 2


def test_a_long_video_does_not_take_most_of_the_labels_with_it():
    found = {video: labels(range(0, 2000 if video == 1 else 100, 10)) for video in range(1, 7)}
    for seed in range(5):
        new = Spans(choose(found, dict.fromkeys(found, 2000), NOTHING, seed))
        shares = [held(found[video], new, video).mean() for video in found]
        assert shares[0] < 0.5
        assert sum(share == 1 for share in shares) == 1


def test_what_was_held_out_stays_so_and_labels_that_come_later_are_added_to_it():
    early = labels(range(0, 500, 10))
    first = choose({1: early}, {1: 1000}, NOTHING, seed=0)
    assert choose({1: early}, {1: 1000}, Spans(first), seed=7) == []
    late = labels(range(0, 1000, 5))
    second = choose({1: late}, {1: 1000}, Spans(first), seed=7)
    assert second
    together = held(late, Spans([*first, *second]))
    assert together[held(late, Spans(first))].all()
    assert 0.2 <= together.mean() <= 0.4
    starts = [span.start for span in (*first, *second)]
    assert len(set(starts)) == len(starts)


def test_no_new_span_begins_where_an_old_one_does():
    """Labels of a held-out span that were taken back: the neighbours of a new block are farther away."""
    old = Span(1, 11, 20)
    found = labels([0, 10, *range(25, 200, 5)])
    for seed in range(20):
        for span in choose({1: found}, {1: 200}, Spans([old]), seed):
            assert span.start != old.start
            assert span.stop <= old.start or span.start >= old.stop


def test_subjects_of_a_frame_are_held_out_together():
    found = labels(range(0, 400, 10), tracks=3)
    chosen = held(found, Spans(choose({1: found}, {1: 400}, NOTHING, seed=0)))
    assert (chosen.reshape(-1, 3).sum(axis=1) % 3 == 0).all()


def test_a_keypoint_is_not_held_out_wholly():
    found = labels(range(0, 1000, 10), keypoints=3)
    found.keypoints[:, 2] = 0
    found.keypoints[40:44, 2] = (3, 4, 1)
    for seed in range(10):
        chosen = held(found, Spans(choose({1: found}, {1: 1000}, NOTHING, seed)))
        assert (found.keypoints[~chosen, 2, 2] > 0).any()


@pytest.mark.parametrize(("frames", "sentence"), [([], "there are 0"), ([3], "there is 1"), ([0, 9, 18, 27], "are 4")])
def test_too_few_labels(frames, sentence):
    with pytest.raises(TooFewLabels, match=sentence):
        choose({1: labels(frames)}, {1: 100}, NOTHING, seed=0)


def test_labels_that_are_all_of_one_moment():
    with pytest.raises(TooFewLabels, match="some way from each other"):
        choose({1: labels([7], tracks=6)}, {1: 100}, NOTHING, seed=0)


def test_where_nearly_all_is_held_out_already_there_is_too_little_to_learn_from():
    found = labels(range(0, 100, 10))
    with pytest.raises(TooFewLabels, match="3 to learn from"):
        choose({1: found}, {1: 100}, Spans([Span(1, 0, 85)]), seed=0)


def test_labels_that_were_taken_back_do_not_count():
    found = labels(range(0, 200, 10))
    found.keypoints[5:, :, 2] = 0
    new = choose({1: found}, {1: 200}, NOTHING, seed=0)
    assert held(found, Spans(new))[:5].sum() == 2
