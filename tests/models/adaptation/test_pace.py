"""Fitting is bounded in time, by a clock that tests turn themselves."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
import torch

from models.adaptation.adaptation import Adaptation, spread
from models.adaptation.fitting import AdaptRecipe, FittingSubject, collect, fit, untrained
from models.adaptation.pace import FittingPace, own_time
from models.compute.devices import choose
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose
from pose.frames import InMemoryFrames
from pose.synthetic import Scene, SceneSpec
from pose.track import Track


def ticking(seconds: float):
    """A clock that goes on by so much whenever it is asked."""
    ticks = count()
    return lambda: seconds * next(ticks)


def walked(pace: FittingPace) -> list[float]:
    shares = [pace.share]
    while pace.step():
        shares.append(pace.share)
    return [*shares, pace.share]


def test_where_there_is_time_all_steps_are_taken_evenly() -> None:
    pace = FittingPace(100, until=60.0, clock=ticking(0.5))
    assert walked(pace) == [step / 100 for step in range(101)]
    assert pace.done == pace.planned == 100


def test_where_steps_are_slow_there_are_fewer_and_the_share_still_ends_at_one() -> None:
    pace = FittingPace(100, until=60.0, clock=ticking(2.0))
    shares = walked(pace)
    assert pace.done == 30
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert max(np.diff(shares)) < 0.15


def test_a_machine_that_slows_down_half_way_ends_in_time_too() -> None:
    times = iter([0.0, *(0.5 * step for step in range(1, 51)), *(25 + 3.0 * step for step in range(1, 51))])
    pace = FittingPace(100, until=60.0, clock=lambda: next(times))
    shares = walked(pace)
    assert 58 <= pace.done <= 62
    assert shares[-1] == 1.0


def test_one_slow_step_changes_nothing() -> None:
    times = iter([0.0, *(0.3 * step for step in range(1, 21)), *(20 + 0.3 * step for step in range(81))])
    pace = FittingPace(100, until=60.0, clock=lambda: next(times))
    assert walked(pace) == [step / 100 for step in range(101)]


def test_without_time_there_is_one_step() -> None:
    pace = FittingPace(100, until=0.0, clock=ticking(1.0))
    assert walked(pace) == [0.0, 1.0]


def test_what_others_take_of_the_machine_counts_up_to_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    computed, passed = iter([100.0, 110.0, 110.0]), iter([0.0, 12.0, 60.0])
    monkeypatch.setattr("time.thread_time", lambda: next(computed))
    monkeypatch.setattr("time.monotonic", lambda: next(passed))
    clock = own_time()
    assert clock() == 10.0
    assert clock() == 20.0


@pytest.mark.parametrize("size", [0, 1, 2, 5, 8, 13])
def test_any_beginning_of_the_order_is_spread_over_the_video(size: int) -> None:
    order = spread(size).tolist()
    assert sorted(order) == list(range(size))
    if size >= 8:
        assert max(order[:4]) - min(order[:4]) >= size // 2


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(SceneSpec(seed=4, num_frames=13, width=160, height=120, action="walk"))


@pytest.fixture(scope="module")
def footage(scene: Scene) -> InMemoryFrames:
    return InMemoryFrames(np.stack(list(scene.frames())))


@pytest.fixture(scope="module")
def labels(scene: Scene) -> Track:
    return scene.tracks[1].select(np.array([0, 12]))


def test_a_clock_that_leaves_time_changes_no_weight(network: StdPose, footage: InMemoryFrames, labels: Track) -> None:
    recipe = AdaptRecipe(steps=6, images_per_step=2)
    subject = FittingSubject(labels, labels.select(np.zeros(0, dtype=int)))
    made = []
    for pace in (
        None,
        FittingPace(6, until=1000.0, clock=ticking(1.0)),
        FittingPace(6, until=1000.0, clock=ticking(3.7)),
    ):
        detector = untrained(network, labels.num_keypoints, recipe)
        assert len(list(fit(detector, collect(footage, [subject], recipe), recipe, choose("cpu"), pace))) == 6
        made.append(torch.cat([weight.flatten() for weight in detector.state_dict().values()]))
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])


def test_fitting_says_how_far_it_is_and_what_it_had_no_time_for(
    untrained: StdPoseEngine, footage: InMemoryFrames, labels: Track
) -> None:
    recipe = AdaptRecipe(steps=40, images_per_step=2, seconds=20.0)
    fitting = Adaptation(untrained, footage, {1: labels}, recipe=recipe, clock=lambda: ticking(1.0))
    assert fitting.report().progress == 0
    assert fitting.report().remaining is None
    reports, stages = [], set()
    untrained.step = lambda: stages.add(fitting.report().stage)
    try:
        for step in fitting:
            reports.append(fitting.report())
            assert step.number <= step.total <= 40
    finally:
        untrained.step = lambda: None
    shares = [report.progress for report in reports]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1
    assert {report.stage for report in reports} == {"fitting to the video"}
    assert stages == {"looking at frames", "fitting to the video"}
    assert all(report.remaining is not None and report.remaining >= 0 for report in reports)
    assert fitting.report().progress == 1
    pedigree = fitting.pedigree
    assert 2 <= pedigree["steps"] < 20
    assert pedigree["planned"] == 40
    assert pedigree["short_of_time"]
    assert fitting.engine.version.startswith(untrained.version)
