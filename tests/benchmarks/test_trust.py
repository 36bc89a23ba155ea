"""The figures of the trust benchmark are what they say, on numbers that are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.hidden_keyframes import Rows, rendered, rows_of
from benchmarks.trust import Judged, as_given, calibrated, first, hardest, judged, oracle
from pose.calibration.residuals import Residuals
from pose.calibration.situation import Regime


def points(error: np.ndarray, clip: np.ndarray | None = None) -> Judged:
    some = np.zeros(len(error))
    return Judged(
        clip=np.zeros(len(error), dtype=int) if clip is None else clip,
        frame=np.arange(len(error)) // 2,
        keypoint=np.arange(len(error)) % 2,
        third=np.zeros(len(error), dtype=int),
        raw=error,
        error=error,
        within=error < 0.05,
        radius=some,
        score=some,
    )


def test_the_oracle_knows_each_clip():
    error = np.concatenate([np.full(10, 1.0), np.full(10, 3.0)])
    assert oracle(points(error, np.repeat([0, 1], 10)), 0.9) == pytest.approx(2.0)
    assert oracle(points(np.arange(10.0)), 0.75) == 7


def test_the_hardest_quarter_is_of_frames():
    error = np.repeat([1.0, 4.0, 2.0, 3.0], 2)
    assert hardest(points(error), error).tolist() == [False, False, True, True, False, False, False, False]


def test_of_a_clip_only_so_many_keyframes_are_used():
    count = 12
    hidden = Residuals(
        track=np.ones(count, dtype=np.int64),
        frame=np.repeat(np.arange(6), 2),
        keypoint=np.tile([0, 1], 6),
        regime=np.repeat([Regime.BETWEEN, Regime.OUTSIDE], 6).astype(np.uint8),
        gap=np.ones(count),
        raw=np.ones(count),
        error=np.ones(count),
    )
    assert first(hidden, 2).keyframes()[1] == 4
    assert len(first(hidden, 0)) == 0
    assert len(first(hidden, 99)) == count


def test_a_clip_is_judged_on_frames_that_nobody_labelled(tmp_path):
    clip = rendered(1)[0]
    rows = rows_of(clip, "linear", 20, tmp_path)
    again = rows_of(clip, "linear", 20, tmp_path)
    assert isinstance(rows, Rows)
    np.testing.assert_array_equal(rows.tested.points.error, again.tested.points.error)
    assert not np.isin(rows.tested.points.frame, [0, 20, 40, 60]).any()
    assert set(rows.hidden.frame.tolist()) <= {0, 20, 40, 60}
    assert (rows.beyond.points.frame > 40).all()
    assert len(rows.tested.unit) == len(rows.tested.elapsed) == len(rows.tested.points)
    raw, fixed = (judged([rows], "tested", judge) for judge in (as_given, calibrated("linear", alone=True)))
    assert len(raw.error) == len(fixed.error)
    assert np.isfinite(fixed.radius).all()
    assert not np.array_equal(raw.radius, fixed.radius)
