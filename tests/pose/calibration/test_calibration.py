from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose.calibration.calibration import ENOUGH_VIDEOS, Calibration, State, calibrate
from pose.calibration.residuals import Residuals, concatenate
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime
from pose.track import Track, blank

SCALES = {regime: Scale(floor=0.002, exponent=0.3, trust=0.7) for regime in Regime}
POINTS = 6


def hidden(
    rng: np.random.Generator, keyframes: int, factor: float = 1.0, points: Sequence[float] = (1,) * POINTS
) -> Residuals:
    """Keyframes of a video that is ``factor`` times harder than the engine thinks, hidden between two others."""
    count = keyframes * len(points)
    raw, gap = np.exp(rng.normal(-4, 1, count)), rng.integers(2, 12, count).astype(float)
    scale = factor * np.tile(points, keyframes) * np.exp(SCALES[Regime.BETWEEN].log(gap, raw))
    error = 0.5 * scale * np.linalg.norm(rng.normal(size=(count, 2)), axis=1)
    return Residuals(
        track=np.ones(count, dtype=np.int64),
        frame=np.repeat(10 * np.arange(keyframes), len(points)),
        keypoint=np.tile(np.arange(len(points)), keyframes),
        regime=np.full(count, Regime.BETWEEN, dtype=np.uint8),
        gap=gap,
        raw=raw,
        error=error,
    )


def project(seed: int, videos: int, keyframes: int, spread: float = 0.5) -> list[Residuals]:
    rng = np.random.default_rng(seed)
    return [hidden(rng, keyframes, float(np.exp(spread * rng.normal()))) for _ in range(videos)]


SHIPPED = project(99, 12, 10)


def covered(calibration: Calibration, asked: Residuals) -> float:
    radius, _ = calibration.relative(asked.regime, asked.gap, asked.raw, asked.keypoint)
    return float((asked.error <= radius).mean())


@pytest.mark.parametrize("keyframes", [0, 2, 4, 8, 20])
def test_radii_hold_nine_in_ten_points_of_videos_like_those_of_the_project(keyframes):
    rng, held = np.random.default_rng(5), []
    others = project(1, 30, 12)
    for _ in range(40):
        factor = float(np.exp(0.5 * rng.normal()))
        calibration = calibrate(hidden(rng, keyframes, factor), others, SHIPPED, SCALES)
        held.append(covered(calibration, hidden(rng, 60, factor)))
    assert np.mean(held) == pytest.approx(0.9, abs=0.04)


def test_a_video_that_is_harder_than_its_project_gets_wider_radii():
    rng, others = np.random.default_rng(5), project(1, 30, 12)
    asked = hidden(rng, 200, 6.0)
    assert covered(calibrate(Residuals.empty(), others, [], SCALES), asked) < 0.4
    assert covered(calibrate(hidden(rng, 12, 6.0), others, [], SCALES), asked) > 0.8


def test_one_keyframe_tells_no_level_even_where_no_video_has_more():
    rng = np.random.default_rng(5)
    others = [hidden(rng, 1, float(np.exp(0.5 * rng.normal()))) for _ in range(20)]
    one, none = (calibrate(own, others, [], SCALES) for own in (hidden(rng, 1, 50.0), Residuals.empty()))
    assert one.told[Regime.BETWEEN].state == State.PRIOR
    assert abs(one.told[Regime.BETWEEN].level - none.told[Regime.BETWEEN].level) < 0.5


def test_a_keypoint_that_is_harder_than_the_others_gets_wider_radii():
    rng, points = np.random.default_rng(5), (1, 1, 1, 1, 1, 5)
    others = [hidden(rng, 12, 1.0, points) for _ in range(20)]
    calibration = calibrate(hidden(rng, 60, 1.0, points), others, [], SCALES)
    asked = hidden(rng, 2000, 1.0, points)
    for keypoint in range(POINTS):
        assert covered(calibration, asked.select(asked.keypoint == keypoint)) == pytest.approx(0.9, abs=0.06)


def test_scores_are_how_often_points_are_within_tolerance():
    rng, others = np.random.default_rng(5), project(1, 40, 12, 0.2)
    asked = hidden(rng, 1000)
    calibration = calibrate(hidden(rng, 12), others, [], SCALES)
    radius, score = calibration.relative(asked.regime, asked.gap, asked.raw, asked.keypoint)
    within = asked.error < 0.05
    for low, high in ((0, 0.4), (0.4, 0.7), (0.7, 0.9), (0.9, 1)):
        some = (score >= low) & (score < high)
        assert some.sum() > 100
        assert within[some].mean() == pytest.approx(score[some].mean(), abs=0.08)
    sure = radius <= 0.05
    assert (score[sure] >= 0.9 - 1e-9).all()
    assert (score[~sure] < 0.9 + 0.01).all()


@pytest.mark.parametrize(
    ("keyframes", "videos", "state"),
    [
        (0, 12, State.PRIOR),
        (1, 12, State.PRIOR),
        (2, 12, State.PROVISIONAL),
        (7, 12, State.PROVISIONAL),
        (8, 12, State.CALIBRATED),
        (8, ENOUGH_VIDEOS - 1, State.PROVISIONAL),
        (100, 0, State.PROVISIONAL),
    ],
)
def test_the_state_says_what_the_numbers_rest_on(keyframes, videos, state):
    own = hidden(np.random.default_rng(0), keyframes)
    told = calibrate(own, project(1, videos, 5), SHIPPED, SCALES).told[Regime.BETWEEN]
    assert (told.state, told.keyframes, told.videos) == (state, keyframes, videos)
    assert told.shipped == max(ENOUGH_VIDEOS - videos, 0)


def test_a_regime_of_which_nothing_is_known_invents_no_number():
    calibration = calibrate(hidden(np.random.default_rng(0), 5), project(1, 9, 5), [], SCALES)
    assert set(calibration.told) == {Regime.BETWEEN}
    assert not calibrate(Residuals.empty(), [], [], SCALES).told
    poses, given = between()
    same = calibrate(Residuals.empty(), [], [], SCALES).apply(poses, given, 200)
    assert np.array_equal(same.radius90, poses.radius90)
    assert np.array_equal(same.score, poses.score)


def between() -> tuple[Track, Track]:
    """A machine's poses from frame 0 to 20 between labels on both, and those labels."""
    square = np.array([[0.0, 0], [30, 40], [30, 0]])
    poses = blank(np.arange(21), 3)
    poses.xy[:], poses.visibility[:] = square, 2
    poses.radius90[:] = 2 + np.minimum(np.arange(21), 20 - np.arange(21))[:, None]
    poses.score[:] = 0.5
    poses.radius90[[0, 20]], poses.score[[0, 20]] = 0, 1
    keypoints = np.concatenate([square, np.full((3, 1), 2)], axis=-1)
    return poses, Track.labelled([0, 20], np.stack([keypoints] * 2))


@settings(max_examples=60)
@given(
    st.integers(0, 12),
    st.integers(0, 14),
    st.floats(0, 50),
    st.floats(0, 1),
    st.integers(1, POINTS),
)
def test_whatever_was_labelled_the_numbers_keep_their_bounds(keyframes, videos, factor, share, points):
    rng = np.random.default_rng(7)
    own = hidden(rng, keyframes, factor, (1,) * points)
    own = own.select(rng.random(len(own)) < share)
    calibration = calibrate(own, project(1, videos, 3), SHIPPED, SCALES)
    poses, given = between()
    found = calibration.apply(poses, given, 200.0)
    machine = np.arange(1, 20)
    assert np.isfinite(found.radius90).all()
    assert (found.radius90[machine] > 0).all()
    assert (found.radius90 <= 200).all()
    assert ((found.score >= 0) & (found.score <= 1)).all()
    # Raw radius and gap grow together from the label to the middle of the gap.
    assert (np.diff(found.radius90[1:11], axis=0) >= 0).all()
    assert (np.diff(found.score[1:11], axis=0) <= 0).all()


def test_peoples_points_and_all_places_stay_as_they_are():
    poses, given = between()
    found = calibrate(hidden(np.random.default_rng(0), 9), project(1, 9, 5), [], SCALES).apply(poses, given, 200.0)
    assert np.array_equal(found.xy, poses.xy)
    assert np.array_equal(found.visibility, poses.visibility)
    assert (found.radius90[[0, 20]] == 0).all()
    assert (found.score[[0, 20]] == 1).all()
    assert not np.array_equal(found.radius90, poses.radius90)


def test_without_new_labels_nothing_changes():
    one, other = (calibrate(project(3, 1, 9)[0], project(1, 11, 5), SHIPPED, SCALES) for _ in range(2))
    poses, given = between()
    assert np.array_equal(one.apply(poses, given, 200.0).radius90, other.apply(poses, given, 200.0).radius90)


@pytest.mark.parametrize("error", [0.0, 50.0])
def test_labels_that_agree_or_contradict_entirely_have_defined_numbers(error):
    own = hidden(np.random.default_rng(0), 9)
    same = Residuals(own.track, own.frame, own.keypoint, own.regime, own.gap, own.raw, np.full(len(own), error))
    for others in ([], [same] * 12):
        poses, given = between()
        found = calibrate(same, others, SHIPPED, SCALES).apply(poses, given, 200.0)
        assert np.isfinite(found.radius90).all()
        assert (found.radius90[1:20] > 0).all()


def test_ten_thousand_keyframes_are_many_but_no_trouble():
    own = hidden(np.random.default_rng(0), 10_000)
    told = calibrate(own, project(1, 3, 5), SHIPPED, SCALES).told[Regime.BETWEEN]
    assert told.keyframes == 10_000


def test_regimes_do_not_mix():
    rng = np.random.default_rng(0)
    videos = project(1, 12, 9)
    far = [hidden(rng, 9, 20.0) for _ in videos]
    moved = [Residuals(o.track, o.frame, o.keypoint, o.regime + 1, o.gap, o.raw, o.error) for o in far]
    mixed = [concatenate([one, other]) for one, other in zip(videos, moved, strict=True)]
    alone = calibrate(videos[0], videos[1:], [], SCALES)
    both = calibrate(mixed[0], mixed[1:], [], SCALES)
    asked = hidden(rng, 3)
    for one, other in zip(
        alone.relative(asked.regime, asked.gap, asked.raw, asked.keypoint),
        both.relative(asked.regime, asked.gap, asked.raw, asked.keypoint),
        strict=True,
    ):
        assert np.array_equal(one, other)
