"""What is learnt where people said that a subject or a point is absent: that nothing is to be found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.estimators.presets import configure
from models.estimators.views import box_of, boxes_on
from models.training.augmentation import Augmentation
from models.training.clips import Clips, stack
from models.training.negatives import balanced, examples
from models.training.subjects import Subject, digest_of, hold_out
from pose.skeleton import Skeleton
from pose.track import Track

HERE, GONE = [1, 1], [-1, -1]


def subject(states: dict[int, list[int]], *, name: str = "v/1", left: float = 0.0) -> Subject:
    """Two points from ``left`` on that are there (1), absent (-1), or of which nothing is said (0)."""
    state = np.array([*states.values()])
    places = np.broadcast_to([[left, 10.0], [left + 20, 30.0]], (*state.shape, 2))
    track = Track.labelled([*states], np.concatenate([places, np.maximum(state, 0)[..., None]], axis=-1), state < 0)
    return Subject.labelled(name, Path("v.mp4"), track, video="v")


def frames_of(*subjects: Subject) -> list[list[int]]:
    return [one.track.frames[rows].tolist() for one, rows in zip(subjects, examples(subjects), strict=True)]


def test_absences_count_as_much_as_places_and_are_told_apart() -> None:
    one = subject({0: HERE, 5: GONE, 7: [1, -1], 9: [0, -1]})
    np.testing.assert_array_equal(one.weight, [[1, 1], [1, 1], [1, 1], [0, 1]])
    np.testing.assert_array_equal(one.positive, [[1, 1], [0, 0], [1, 0], [0, 0]])
    np.testing.assert_array_equal(one.negative, [[0, 0], [1, 1], [0, 1], [0, 1]])
    assert one.labels == 2
    assert frames_of(one) == [[0, 5, 7, 9]]


def test_an_absent_subject_is_looked_for_where_it_was() -> None:
    one = subject({0: HERE, 10: GONE, 20: HERE, 30: GONE})
    moved = one.track.xy.copy()
    moved[2] += 40
    one = replace(one, track=replace(one.track, xy=moved))
    between, after = one.expected(np.array([10, 30]))
    first, last = box_of(moved[0], np.ones(2)), box_of(moved[2], np.ones(2))
    np.testing.assert_allclose(between, (first + last) / 2)
    np.testing.assert_allclose(after, last)
    # Parted from its poses it is still looked for where it was.
    alone = one.select(np.array([1]))
    np.testing.assert_allclose(alone.expected(np.array([10]))[0], between)
    assert np.isnan(subject({3: GONE}).expected(np.array([3]))).all()


def test_it_is_no_example_where_another_subject_may_be() -> None:
    mine = subject({0: HERE, 10: GONE, 20: GONE})
    near, far = ({"name": "v/2", "left": left} for left in (5.0, 200.0))
    assert frames_of(mine, subject({0: HERE, 30: HERE}, **far))[0] == [0, 10, 20]
    assert frames_of(mine, subject({0: HERE, 30: HERE}, **near))[0] == [0]
    assert frames_of(mine, subject({0: HERE, 20: GONE, 30: HERE}, **near))[0] == [0, 20]
    assert frames_of(mine, replace(subject({0: HERE, 30: HERE}, **near), video="w"))[0] == [0, 10, 20]
    # Nobody knows where one that was never seen would be: only where all others are away as well.
    nowhere = subject({10: GONE, 20: GONE})
    assert frames_of(nowhere, subject({0: HERE, 20: GONE, 30: HERE}, **far))[0] == [20]
    assert frames_of(nowhere, subject({10: GONE, 20: GONE}, name="v/2"))[0] == [10, 20]
    # A place is an example wherever others are.
    assert frames_of(mine, subject({0: HERE}, **near))[1] == [0]


def test_a_keypoint_s_absences_weigh_no_more_than_its_places() -> None:
    one, other = subject({0: HERE, 1: HERE, 5: GONE, 6: GONE, 7: GONE, 8: [0, -1]}), subject({0: [1, 0]}, name="w/1")
    other = replace(other, video="w", weight=other.weight / 2)
    weights = balanced([one, other], examples([one, other]))
    np.testing.assert_allclose(weights[0][:, 0], [1, 1, 2.5 / 3, 2.5 / 3, 2.5 / 3, 0])
    np.testing.assert_allclose(weights[0][:, 1], [1, 1, 0.5, 0.5, 0.5, 0.5])
    np.testing.assert_allclose(weights[1], [[0.5, 0]])
    few = subject({0: HERE, 1: HERE, 5: GONE})
    np.testing.assert_array_equal(balanced([few], examples([few]))[0], few.weight)
    never = subject({0: [1, -1], 1: [1, -1]})
    np.testing.assert_array_equal(balanced([never], examples([never]))[0], [[1, 0], [1, 0]])


def test_absences_make_other_training_data() -> None:
    one = subject({0: HERE, 5: GONE})
    other = replace(one, track=replace(one.track, absent=np.zeros((2, 2), bool)))
    assert digest_of([one]) != digest_of([other])
    assert digest_of([subject({0: HERE})]) == digest_of([replace(subject({0: HERE}), around=Track.empty(2))])


def test_absences_are_kept_aside_as_labels_are() -> None:
    states = {frame: HERE if frame % 3 else GONE for frame in range(96)}
    learnt, aside = hold_out([subject(states)], 0.25, 0)
    for (part,) in (learnt, aside):
        assert part.negative.any()
        assert not np.isnan(part.expected(part.track.frames)).any()


@pytest.fixture
def away(fly: tuple[Subject, Skeleton]) -> tuple[Subject, Skeleton]:
    """The fly, said to be absent on frames 20 to 29, and without its first point on frame 5."""
    whole, skeleton = fly
    gone = np.zeros(whole.track.visibility.shape, dtype=bool)
    gone[20:30] = True
    gone[5, 0] = True
    points = np.concatenate([whole.track.xy, np.where(gone, 0, whole.track.visibility)[..., None]], axis=-1)
    return Subject.labelled("fly", whole.path, Track.labelled(whole.track.frames, points, gone)), skeleton


def test_clips_of_an_absent_subject_show_where_it_would_be(away: tuple[Subject, Skeleton], store: Path) -> None:
    one, skeleton = away
    clips = Clips([one], skeleton, configure("stdpose", "tiny", skeleton.size, height=64, width=64), store)
    assert len(clips) == 40
    clip = clips.get(24)
    assert clip.absent[1].all()
    assert (clip.weight[1] == 1).all()
    (box,) = boxes_on(one.whereabouts, np.array([24]))
    middle = clip.view.to_frame(np.array([31.5, 31.5]))
    np.testing.assert_allclose(middle, box[:2] + box[2:] / 2, atol=1e-6)
    assert clip.images[1].std() > 1
    partly = clips.get(5)
    assert partly.absent[1].tolist() == [True] + [False] * (skeleton.size - 1)
    assert partly.weight[1, 0] == 1
    batch = stack([clip, partly, clips.get(0)])
    assert batch.truth.absent is not None
    assert batch.truth.absent.shape == batch.truth.weight.shape
    assert batch.truth.there[:, 1].sum(dim=1).tolist() == [0, skeleton.size - 1, skeleton.size]


def test_absences_move_with_the_picture(away: tuple[Subject, Skeleton], store: Path) -> None:
    one, skeleton = away
    clips = Clips([one], skeleton, configure("single_frame", "tiny", skeleton.size, height=64, width=64), store)
    mirrored = Augmentation(mirrored=1.0, turned=0, scale=0, shift=0, half=1.0, colour=0, covered=0, blurred=0)
    absent = clips.get(5, mirrored, np.random.default_rng(0)).absent[0]
    assert np.flatnonzero(absent).tolist() == [int(np.flatnonzero(skeleton.mirror() == 0)[0])]
    assert clips.get(24, mirrored, np.random.default_rng(0)).absent.all()
