"""What is said to be absent is respected by every engine, by subject and by keypoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks.posewarper.engine import PoseWarperEngine
from benchmarks.posewarper.network import PoseWarper, PoseWarperConfig
from models.engines.absence import left_over
from models.engines.confidence import LEAST_SCORE, score_of
from models.engines.engine import Engine
from models.propagate import propagate
from models.registry import CLASSICAL, resolve
from models.stdpose.engine import StdPoseEngine
from pose.track import Track, join

FRAMES = 40


@dataclass
class Drift:
    """A textured picture that moves two pixels a frame to the right."""

    picture: np.ndarray
    key: str | None = None
    num_frames: int = FRAMES
    width: int = 160
    height: int = 120

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for index in range(start, self.num_frames if stop is None else stop):
            first = 2 * (self.num_frames - index)
            frame = self.picture[:, first : first + self.width]
            yield frame if gray else np.repeat(frame[..., None], 3, axis=2)


@pytest.fixture(scope="module")
def video() -> Drift:
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(120, 160 + 2 * FRAMES + 2)), 2)
    return Drift((255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8))


@pytest.fixture(params=[*CLASSICAL, "stdpose", "posewarper"])
def engine(request: pytest.FixtureRequest, untrained: StdPoseEngine) -> Engine:
    if request.param == "posewarper":
        return PoseWarperEngine(PoseWarper(PoseWarperConfig()))
    return untrained if request.param == "stdpose" else resolve(request.param)


def labels(states: dict[int, list[int]]) -> Track:
    """Labels of three points that have a place (2), are absent (-1), or of which nothing is said (0)."""
    frames = np.array([*states])
    state = np.array([*states.values()])
    home = np.array([[20.0, 30], [50, 30], [40, 80]])
    places = home + np.stack([2 * frames, 0 * frames], axis=-1)[:, None]
    return Track.labelled(frames, np.concatenate([places, np.maximum(state, 0)[..., None]], axis=-1), state < 0)


def poses(engine: Engine, video: Drift, keyframes: Track) -> Track:
    return join([part for _, _, part in propagate(video, {1: keyframes}, engine=engine)])


HERE, GONE = [2, 2, 2], [-1, -1, -1]


def test_between_two_absences_there_is_no_pose(engine, video):
    found = poses(engine, video, labels({0: HERE, 10: GONE, 30: GONE, 39: HERE}))
    known = found.visibility > 0
    assert known[:10].all()
    assert known[31:].all()
    for array in (found.visibility, found.xy, found.score, found.radius90):
        assert not array[10:31].any()


def test_beyond_an_absence_at_the_end_there_is_no_pose(engine, video):
    found = poses(engine, video, labels({5: GONE, 15: HERE, 25: GONE}))
    assert np.flatnonzero((found.visibility > 0).all(axis=1)).tolist() == list(range(6, 25))
    assert np.flatnonzero((found.visibility > 0).any(axis=1)).tolist() == list(range(6, 25))


def test_scores_fall_from_a_pose_towards_an_absence(engine, video):
    found = poses(engine, video, labels({0: HERE, 12: GONE, 26: HERE}))
    forward, backward = found.score[:12], found.score[13:27]
    assert (forward[0] == 1).all()
    assert (forward[11] < 0.1).all()
    assert (forward[1:7].mean(axis=0) > forward[7:].mean(axis=0)).all()
    assert (backward[0] < 0.1).all()
    assert (backward[-1] == 1).all()
    assert (backward[:7].mean(axis=0) < backward[7:].mean(axis=0)).all()
    share = left_over(labels({0: HERE, 12: GONE, 26: HERE}), np.arange(40))
    assert (found.score <= share + 1e-6).all()


def test_a_pose_beside_an_absence_knows_nothing_of_what_lies_beyond(engine, video):
    alone = poses(engine, video, labels({0: HERE, 12: GONE}))
    both = poses(engine, video, labels({0: HERE, 12: GONE, 26: HERE}))
    np.testing.assert_array_equal(both.xy[:12], alone.xy[:12])
    np.testing.assert_array_equal(both.score[:12], alone.score[:12])


def test_one_keypoint_is_absent_while_others_go_on(engine, video):
    found = poses(engine, video, labels({0: HERE, 10: [-1, 0, 0], 20: [-1, 0, 0], 30: HERE}))
    gone = found.visibility[:, 0] == 0
    assert np.flatnonzero(gone).tolist() == list(range(10, 21))
    assert (found.visibility[:, 1:] > 0).all()


def test_labels_come_back_as_they_are(engine, video):
    keyframes = labels({0: HERE, 10: [2, -1, 2], 20: [-1, 2, 0], 30: HERE})
    found = poses(engine, video, keyframes)
    for row, frame in enumerate(keyframes.frames):
        known = keyframes.visibility[row] > 0
        np.testing.assert_array_equal(found.xy[frame, known], keyframes.xy[row, known])
        assert (found.score[frame, known] == 1).all()
        assert (found.radius90[frame, known] == 0).all()
        assert not found.visibility[frame, keyframes.absent[row]].any()


def test_a_subject_that_is_always_absent_has_no_pose(engine, video):
    found = poses(engine, video, labels({7: GONE}))
    assert len(found) == FRAMES
    assert not found.visibility.any()


def test_score_and_error_bar_do_not_contradict_each_other(video):
    keyframes = labels({0: HERE, 30: GONE})
    found = poses(resolve("linear"), video, keyframes)
    size = float(np.linalg.norm(np.ptp(keyframes.xy[0], axis=0)))
    sure = found.score > LEAST_SCORE
    sure[[0, *range(30, FRAMES)]] = False
    assert sure.any()
    np.testing.assert_allclose(score_of(found.radius90[sure], size), found.score[sure], rtol=1e-3)
    assert (np.diff(found.radius90[:20], axis=0) > 0).all()


def test_an_absence_changes_nothing_beyond_the_labels_next_to_it(video):
    engine = resolve("flow")
    without = {0: HERE, 10: HERE, 20: HERE, 30: HERE}
    plain = poses(engine, video, labels(without))
    changed = poses(engine, video, labels({**without, 15: GONE}))
    for name in ("xy", "score", "radius90", "visibility"):
        before, after = getattr(plain, name), getattr(changed, name)
        np.testing.assert_array_equal(before[:11], after[:11])
        np.testing.assert_array_equal(before[20:], after[20:])
        assert not (before[12:19] == after[12:19]).all()
