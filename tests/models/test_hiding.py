"""Hidden keyframes are seen by nobody, and tell what the engine would have made of their frames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.hiding import Hidden, choose, folds, hide, lasting
from models.propagate import propagate_segment
from models.registry import CLASSICAL
from models.stdpose.engine import StdPoseEngine
from pose.calibration.residuals import concatenate
from pose.calibration.situation import Regime
from pose.frames import InMemoryFrames
from pose.segments import Segment
from pose.track import Track

HOME = np.array([[20.0, 30], [50, 30], [40, 80]])
FRAMES = [0, 8, 20, 31]


@pytest.fixture(scope="module")
def video() -> InMemoryFrames:
    """A textured picture that moves two pixels a frame to the right."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(120, 260)), 2)
    picture = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    frames = [picture[:, 2 * (40 - index) : 2 * (40 - index) + 160] for index in range(40)]
    return InMemoryFrames(np.repeat(np.stack(frames)[..., None], 3, axis=-1))


@pytest.fixture(params=[*CLASSICAL, "stdpose"])
def engine(request: pytest.FixtureRequest, untrained: StdPoseEngine) -> Engine:
    return untrained if request.param == "stdpose" else CLASSICAL[request.param]


def labels(frames: list[int] = FRAMES, bent: float = 0.0) -> Track:
    """Labels that move with the picture, but for ``bent`` pixels on the second frame."""
    keypoints = np.full((len(frames), 3, 3), 2.0)
    keypoints[..., :2] = HOME + 2 * np.array(frames)[:, None, None] * [1, 0]
    keypoints[1:2, :, 1] += bent
    return Track.labelled(frames, keypoints)


def test_errors_are_those_of_a_propagation_without_the_keyframe(video: InMemoryFrames, engine: Engine) -> None:
    track = labels(bent=10)
    (found,) = hide(video, {4: track}, engine, [Hidden(4, 8, "between")])
    given = track.select(track.frames != 8)
    poses = propagate_segment(engine, video, given, Segment(0, 20), Cuts()).between(8, 9)
    distance = np.linalg.norm(poses.xy[0] - track.xy[1], axis=-1)
    size = np.linalg.norm(np.ptp(HOME, axis=0))
    np.testing.assert_allclose(found.error, distance / size, rtol=1e-4)
    np.testing.assert_allclose(found.raw, poses.radius90[0] / size, rtol=1e-4)
    assert found.gap.tolist() == pytest.approx([8 * 12 / 20] * 3)
    assert set(found.regime.tolist()) == {Regime.BETWEEN}
    assert set(found.track.tolist()) == {4}


def test_beyond_the_last_label_there_is_one_side_only(video: InMemoryFrames, engine: Engine) -> None:
    after, before = hide(video, {1: labels()}, engine, [Hidden(1, 20, "after"), Hidden(1, 20, "before")])
    assert set(after.regime.tolist()) == set(before.regime.tolist()) == {Regime.OUTSIDE}
    assert after.gap.tolist() == [12] * 3
    assert before.gap.tolist() == [11] * 3


def test_every_keyframe_is_hidden_from_both_sides_where_it_has_them():
    chosen = choose({1: labels()})
    ways = {way: [one.frame for one in chosen if one.way == way] for way in ("between", "after", "before")}
    assert ways == {"between": [8, 20], "after": [8, 20, 31], "before": [0, 8, 20]}


def test_of_ten_thousand_keyframes_a_few_are_drawn_and_always_the_same():
    many = {1: labels([*range(0, 30_000, 3)])}
    chosen = choose(many, most=20)
    assert len(chosen) == 40
    assert chosen == choose(many, most=20)
    assert np.ptp([one.frame for one in chosen]) > 10_000


def test_what_is_hidden_stays_so_as_labels_are_added():
    some = [*range(0, 3000, 10)]
    before = lasting(choose({1: labels(some)}, 10**6), most=20)
    after = lasting(choose({1: labels(sorted([*some, 1005]))}, 10**6), most=20)
    assert len(before) == len(after) == 40
    assert len({*before} & {*after}) >= 37
    # Where there is no time for all, some of each kind were hidden, from all over the video.
    first = before[:20]
    assert sum(one.way == "between" for one in first) == 10
    assert np.ptp([one.frame for one in first]) > 1500


@pytest.mark.parametrize(
    "track",
    [
        labels([5]),
        Track.empty(3),
        Track.labelled([1, 5, 9], np.zeros((3, 3, 3)), np.ones((3, 3), dtype=bool)),
    ],
    ids=["one keyframe", "no keyframe", "all absent"],
)
def test_where_nothing_can_be_hidden_nothing_is(track: Track) -> None:
    assert choose({1: track}) == []


def test_identical_keyframes_have_no_error(video: InMemoryFrames) -> None:
    still = labels([0, 0 + 8, 20])
    still.xy[:] = still.xy[0]
    found = concatenate(list(hide(video, {1: still}, CLASSICAL["linear"], choose({1: still}))))
    assert len(found) == 3 * 5
    np.testing.assert_allclose(found.error, 0, atol=1e-6)
    assert (found.raw > 0).all()


def test_a_keypoint_alone_and_a_subject_that_left_are_no_trouble(video: InMemoryFrames, engine: Engine) -> None:
    keypoints = np.zeros((4, 3, 3))
    keypoints[[0, 1, 3], 0] = [[20, 30, 2], [36, 30, 2], [82, 30, 2]]
    absent = np.zeros((4, 3), dtype=bool)
    absent[2] = True
    track = Track.labelled(FRAMES, keypoints, absent)
    found = concatenate(list(hide(video, {1: track}, engine, choose({1: track}))))
    assert set(found.keypoint.tolist()) <= {0}
    assert np.isfinite(found.error).all()


def test_nothing_is_carried_over_a_cut_to_a_hidden_keyframe(engine: Engine) -> None:
    shots = np.random.default_rng(0).integers(0, 255, (2, 120, 160, 3), dtype=np.uint8)
    film = InMemoryFrames(np.repeat(shots, 20, axis=0))
    cut = Cuts([20], [(0, 40)])
    (found,) = hide(film, {1: labels()}, engine, [Hidden(1, 20, "after")], cut)
    assert not len(found)


def test_each_inner_keyframe_is_away_in_one_fold():
    track = labels([0, 5, 10, 15, 20])
    left = folds({1: track}, 3)
    away = [sorted({*track.frames.tolist()} - {*fold[1].frames.tolist()}) for fold in left]
    assert sorted(frame for some in away for frame in some) == [5, 10, 15]
    assert folds({1: labels([0, 5])}, 3) == []
