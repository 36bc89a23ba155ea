"""Fitting the engine to a video."""

from __future__ import annotations

import numpy as np
import pytest

from models.adaptation.adaptation import Adaptation, version_of
from models.adaptation.fitting import AdaptRecipe
from models.stdpose.engine import StdPoseEngine
from pose.frames import InMemoryFrames
from pose.segments import Segment
from pose.synthetic import Scene, SceneSpec
from pose.track import Track

_RECIPE = AdaptRecipe(steps=3, rounds=2, images_per_step=2)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(SceneSpec(seed=4, num_frames=13, width=160, height=120, action="walk"))


@pytest.fixture(scope="module")
def footage(scene: Scene) -> InMemoryFrames:
    return InMemoryFrames(np.stack(list(scene.frames())))


@pytest.fixture(scope="module")
def keyframes(scene: Scene) -> dict[int, Track]:
    truth = scene.tracks[1]
    return {1: truth.select(np.array([0, 12])), 2: Track.empty(truth.num_keypoints)}


def fitted(untrained: StdPoseEngine, footage: InMemoryFrames, keyframes: dict[int, Track]) -> StdPoseEngine:
    fitting = Adaptation(untrained, footage, keyframes, recipe=_RECIPE)
    assert [(step.number, step.total) for step in fitting] == [(1, 3), (2, 3), (3, 3)]
    return fitting.engine


@pytest.mark.slow
def test_it_changes_what_is_between_labels_and_nothing_else(
    untrained: StdPoseEngine, footage: InMemoryFrames, keyframes: dict[int, Track]
) -> None:
    engines = [untrained, fitted(untrained, footage, keyframes), fitted(untrained, footage, keyframes)]
    plain, once, again = (engine.propagate(footage, keyframes[1], Segment(0, 13)) for engine in engines)
    np.testing.assert_array_equal(once.xy, again.xy)
    assert np.isfinite(once.xy).all()
    known = keyframes[1].visibility > 0
    for poses in (plain, once):
        np.testing.assert_array_equal(poses.xy[[0, 12]][known], keyframes[1].xy[known])
    assert np.abs(once.xy - plain.xy)[1:12].max() > 0


@pytest.mark.slow
def test_its_version_is_known_before_it_is_fitted_and_tells_labels_apart(
    untrained: StdPoseEngine, footage: InMemoryFrames, keyframes: dict[int, Track]
) -> None:
    version = version_of(untrained, keyframes, _RECIPE)
    assert fitted(untrained, footage, keyframes).version == version
    assert version != untrained.version
    assert version != version_of(untrained, {1: keyframes[1]}, _RECIPE)


def test_it_cannot_be_had_before_it_is_fitted(
    untrained: StdPoseEngine, footage: InMemoryFrames, keyframes: dict[int, Track]
) -> None:
    with pytest.raises(RuntimeError, match="not fitted yet"):
        _ = Adaptation(untrained, footage, keyframes).engine
