"""Contracts that every engine keeps, and how well they follow rendered subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.propagate import plan_tracks, propagate
from models.registry import CLASSICAL, PropagationError
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.metrics import evaluate
from pose.segments import Segment, plan
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join
from tests.models.gray_frames import Footage


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(SceneSpec(seed=4, num_frames=41, width=320, height=240, action="walk"))


@pytest.fixture(scope="module")
def footage(scene: Scene) -> Footage:
    return Footage(np.stack([frame.mean(axis=-1).astype(np.uint8) for frame in scene.frames()]))


@pytest.fixture(params=[*CLASSICAL, "stdpose"])
def engine(request: pytest.FixtureRequest, untrained: StdPoseEngine) -> Engine:
    return untrained if request.param == "stdpose" else CLASSICAL[request.param]


def sparse(track: Track, *frames: int) -> Track:
    return track.select(np.isin(track.frames, frames))


def points(frames: list[int], xy: list[list[tuple[float, float]]], visibility: int = 2) -> Track:
    places = np.asarray(xy, dtype=np.float32)
    return Track.labelled(frames, np.concatenate([places, np.full((*places.shape[:2], 1), visibility)], axis=-1))


def run(footage: Footage, keyframes: Track, engine: str | Engine, **options: object) -> Track:
    return join([poses for _, _, poses in propagate(footage, {1: keyframes}, engine=engine, **options)])


def equal(a: Track, b: Track) -> bool:
    return all(
        getattr(a, name).tobytes() == getattr(b, name).tobytes()
        for name in ("frames", "xy", "visibility", "score", "radius90")
    )


def mirrored(track: Track, right: int) -> Track:
    known = (track.visibility > 0)[..., None]
    return replace(track, xy=np.where(known, track.xy * np.float32([-1, 1]) + np.float32([right, 0]), track.xy))


def noise(count: int, height: int = 120, width: int = 160) -> Footage:
    texture = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4), dtype=np.uint8)
    return Footage(np.repeat(texture.repeat(4, 0).repeat(4, 1)[None], count, axis=0))


def test_keyframes_come_back_bit_for_bit(scene: Scene, footage: Footage, engine: Engine) -> None:
    keyframes = sparse(scene.tracks[1], 0, 17, 40)
    poses = run(footage, keyframes, engine)
    assert list(poses.frames) == list(range(41))
    known = keyframes.visibility > 0
    rows = poses.select(keyframes.frames)
    assert rows.xy[known].tobytes() == keyframes.xy[known].tobytes()
    assert (rows.visibility[known] == keyframes.visibility[known]).all()
    assert (rows.score[known] == 1).all()
    assert (rows.radius90[known] == 0).all()


def test_every_frame_between_is_filled_with_less_than_certainty(scene: Scene, footage: Footage, engine: Engine) -> None:
    keyframes = sparse(scene.tracks[1], 0, 40)
    poses = run(footage, keyframes, engine)
    labelled = (keyframes.visibility > 0).any(axis=0)
    between = poses.between(1, 40)
    assert (between.visibility[:, labelled] > 0).all()
    assert (between.score[:, labelled] < 1).all()
    assert (between.radius90[:, labelled] > 0).all()


def test_flow_halves_the_error_of_linear_interpolation(scene: Scene, footage: Footage) -> None:
    truth = scene.tracks[1]
    keyframes = sparse(truth, 0, 20, 40)
    linear, flow = (
        evaluate({1: truth}, {1: run(footage, keyframes, engine)}, {1: keyframes}) for engine in ("linear", "flow")
    )
    assert flow.coverage == 1
    assert flow.ratio_to(linear) < 0.5


def test_flow_falls_back_to_interpolation_where_pixels_say_nothing() -> None:
    keyframes = points([0, 20], [[(20, 30), (60, 30), (40, 80)], [(60, 50), (100, 50), (80, 100)]])
    black = Footage(np.zeros((21, 120, 160), dtype=np.uint8))
    flow, linear = (run(black, keyframes, engine) for engine in ("flow", "linear"))
    assert np.abs(flow.xy - linear.xy).max() < 10
    assert flow.score[10].max() < flow.score[1].max()


def test_flow_holds_a_point_that_does_not_move() -> None:
    keyframes = points([0, 20], [[(40, 40), (100, 80)]] * 2)
    poses = run(noise(21), keyframes, "flow")
    assert np.abs(poses.xy - keyframes.xy[0]).max() < 0.01
    assert poses.score.min() > 0.9


def test_a_segment_alone_equals_the_segment_among_others(scene: Scene, footage: Footage, engine: Engine) -> None:
    keyframes = sparse(scene.tracks[1], 3, 17, 30)
    together = [poses for _, _, poses in propagate(footage, {1: keyframes}, engine=engine)]
    backwards = [*reversed(plan_tracks({1: keyframes}, 0, 41))]
    alone = [next(propagate(footage, {1: keyframes}, engine=engine, segments=[place]))[2] for place in backwards]
    assert all(equal(a, b) for a, b in zip(together, reversed(alone), strict=True))


def test_tracks_together_equal_tracks_alone(scene: Scene, footage: Footage, engine: Engine) -> None:
    near, far = sparse(scene.tracks[1], 0, 20), sparse(scene.tracks[1], 5, 17, 40)
    moved = replace(far, xy=far.xy + np.float32(9))
    both: dict[int, list[Track]] = {1: [], 2: []}
    for number, _, poses in propagate(footage, {1: near, 2: moved}, engine=engine):
        both[number].append(poses)
    for number, keyframes in ((1, near), (2, moved)):
        assert equal(join(both[number]), run(footage, keyframes, engine))


@pytest.mark.parametrize(("name", "tolerance"), [("linear", 1e-6), ("flow", 0.01), ("stdpose", 0.01)])
def test_a_mirrored_video_gives_mirrored_poses(scene: Scene, footage: Footage, name: str, tolerance: float) -> None:
    engine = CLASSICAL[name] if name in CLASSICAL else StdPoseEngine.from_checkpoint(TINY)
    keyframes = sparse(scene.tracks[1], 0, 20)
    right = footage.width - 1
    turned = Footage(np.ascontiguousarray(footage.gray[:21, :, ::-1]))
    straight = run(Footage(footage.gray[:21]), keyframes, engine)
    back = mirrored(run(turned, mirrored(keyframes, right), engine), right)
    known = (keyframes.visibility > 0).all(axis=0)
    apart = np.linalg.norm(straight.xy - back.xy, axis=-1)[:, known]
    size = np.linalg.norm(np.ptp(keyframes.xy[0, known], axis=0))
    assert apart.mean() < tolerance * size


def test_labels_farther_away_change_nothing(scene: Scene, footage: Footage, engine: Engine) -> None:
    truth = scene.tracks[1]
    few, more = (
        engine.propagate(footage, sparse(truth, *frames), Segment(10, 20)) for frames in ((10, 20), (0, 10, 20, 33))
    )
    assert equal(few, more)


def test_windows_of_a_gap_equal_the_gap(scene: Scene, footage: Footage, engine: Engine) -> None:
    keyframes = sparse(scene.tracks[1], 0, 40)
    whole = engine.propagate(footage, keyframes, Segment(0, 40))
    windows = [engine.propagate(footage, keyframes, s) for s in plan(keyframes, 0, 40, longest=7)]
    assert equal(whole, join(windows))


def test_a_segment_with_a_keyframe_inside_equals_its_parts(scene: Scene, footage: Footage, engine: Engine) -> None:
    keyframes = sparse(scene.tracks[1], 0, 12, 40)
    whole = engine.propagate(footage, keyframes, Segment(0, 40))
    parts = [engine.propagate(footage, keyframes, s) for s in (Segment(0, 12), Segment(12, 40))]
    assert equal(whole, join(parts))


def test_each_keypoint_has_its_own_anchors(engine: Engine) -> None:
    labels = np.zeros((3, 2, 3), dtype=np.float32)
    labels[0] = [(40, 40, 2), (100, 80, 2)]
    labels[1, 1] = (120, 80, 2)  # a correction of one keypoint
    labels[2] = [(60, 40, 2), (100, 80, 2)]
    poses = run(noise(21), Track.labelled([0, 10, 20], labels), engine)
    assert tuple(poses.xy[10, 1]) == (120, 80)
    assert poses.score[10, 1] == 1
    assert 0 < poses.score[10, 0] < 1
    assert (poses.visibility == 2).all()


def test_linear_ignores_frames_that_do_not_label_the_keypoint() -> None:
    labels = np.zeros((3, 2, 3), dtype=np.float32)
    labels[0], labels[2] = [(40, 40, 2), (100, 80, 2)], [(60, 40, 2), (100, 80, 2)]
    labels[1, 1] = (120, 80, 2)
    poses = run(noise(21), Track.labelled([0, 10, 20], labels), "linear")
    assert np.allclose(poses.xy[:, 0, 0], np.linspace(40, 60, 21))
    assert np.allclose(poses.xy[5, 1], (110, 80))


def test_a_keypoint_never_labelled_stays_unknown(engine: Engine) -> None:
    labels = np.zeros((2, 3, 3), dtype=np.float32)
    labels[:, 0], labels[:, 2] = (40, 40, 2), (90, 90, 2)
    poses = run(noise(12), Track.labelled([2, 10], labels), engine)
    assert not poses.visibility[:, 1].any()
    assert not poses.xy[:, 1].any()
    assert not poses.score[:, 1].any()
    assert not poses.radius90[:, 1].any()


def test_confidence_falls_away_from_a_single_keyframe(engine: Engine) -> None:
    poses = run(noise(40), points([15], [[(40, 40), (100, 80)]]), engine)
    assert (poses.visibility == 2).all()
    for side in (poses.score[15:, 0], poses.score[15::-1, 0]):
        assert (np.diff(side) < 0).all()
    for side in (poses.radius90[15:, 0], poses.radius90[15::-1, 0]):
        assert (np.diff(side) > 0).all()


def test_a_hidden_label_anchors_with_less_confidence(engine: Engine) -> None:
    xy = [[(40, 40), (100, 80)], [(44, 40), (100, 84)]]
    seen, hidden = (run(noise(11), points([0, 10], xy, visibility), engine) for visibility in (2, 1))
    assert np.array_equal(seen.xy, hidden.xy)
    assert (hidden.score[1:10] < seen.score[1:10]).all()
    assert (hidden.radius90[1:10] > seen.radius90[1:10]).all()


def test_visibility_is_that_of_the_nearer_label(engine: Engine) -> None:
    labels = np.tile(np.float32([(40, 40, 2), (100, 80, 2)]), (2, 1, 1))
    labels[1, 0, 2] = 1
    poses = run(noise(11), Track.labelled([0, 10], labels), engine)
    assert list(poses.visibility[:, 0]) == [2] * 6 + [1] * 5


@pytest.mark.parametrize(
    "keyframes",
    [
        points([0, 1], [[(5, 5), (50, 60)], [(6, 5), (50, 61)]]),
        points([0, 9], [[(-400, -300), (-380, -290)], [(2000, 900), (1990, 880)]]),
        points([4], [[(40, 40)]]),
        points([0, 9], [[(40, 40)] * 3] * 2),
        points([9], [[(159, 119), (0, 0)]]),
    ],
    ids=["neighbours", "outside", "one point", "coinciding", "last frame"],
)
def test_odd_labels_give_finite_poses(keyframes: Track, engine: Engine) -> None:
    poses = run(noise(10), keyframes, engine)
    assert len(poses) == 10
    assert all(np.isfinite(getattr(poses, name)).all() for name in ("xy", "score", "radius90"))
    assert (poses.visibility == 2).all()
    assert ((poses.score >= 0) & (poses.score <= 1)).all()


def test_tiny_frames_and_many_keypoints(engine: Engine) -> None:
    xy = np.random.default_rng(1).uniform(0, 20, (2, 200, 2))
    tiny = Footage(np.random.default_rng(2).integers(0, 256, (6, 9, 13), dtype=np.uint8))
    poses = run(tiny, points([0, 5], xy.tolist()), engine)
    assert np.isfinite(poses.xy).all()


@pytest.mark.parametrize("name", ["flow", "stdpose"])
def test_a_bounded_part_of_a_long_gap_is_read(name: str, untrained: StdPoseEngine) -> None:
    long = Footage(np.broadcast_to(noise(1).gray, (3000, 120, 160)))
    keyframes = points([0, 2999], [[(40, 40), (100, 80)]] * 2)
    engine = untrained if name == "stdpose" else CLASSICAL[name]
    poses = join([engine.propagate(long, keyframes, segment) for segment in plan(keyframes, 0, 3000)])
    assert len(poses) == 3000
    assert long.read < 700
    beyond_reach = poses.xy if name == "flow" else poses.xy[1000:2000]
    assert np.abs(beyond_reach - keyframes.xy[0]).max() < 0.01
    assert poses.score[1500].max() < poses.score[1].max()


def test_a_long_gap_is_searched_for_cuts_once() -> None:
    long = Footage(np.broadcast_to(noise(1).gray, (3000, 120, 160)))
    poses = run(long, points([0, 2999], [[(40, 40), (100, 80)]] * 2), "linear")
    assert (poses.visibility == 2).all()
    assert long.read == 3000


@pytest.fixture(scope="module")
def cut_at_twenty(scene: Scene) -> tuple[Footage, Track]:
    """Two shots, 20 frames each, and one subject's truth in both."""
    other = Scene(SceneSpec(seed=6, num_frames=20, width=320, height=240))
    frames = [*list(scene.frames())[:20], *other.frames()]
    moved = replace(other.tracks[1], frames=other.tracks[1].frames + 20)
    gray = np.stack([frame.mean(axis=-1).astype(np.uint8) for frame in frames])
    return Footage(gray), join([scene.tracks[1].between(0, 20), moved])


def test_shots_are_propagated_as_videos_of_their_own(cut_at_twenty: tuple[Footage, Track], engine: Engine) -> None:
    footage, truth = cut_at_twenty
    keyframes = sparse(truth, 3, 14, 27, 39)
    cuts = Cuts()
    together = run(footage, keyframes, engine, cuts=cuts)
    assert cuts.frames == [20]
    first = run(Footage(footage.gray[:20]), keyframes.between(0, 20), engine)
    late = keyframes.between(20, 40)
    second = run(Footage(footage.gray[20:]), replace(late, frames=late.frames - 20), engine)
    assert equal(together, join([first, replace(second, frames=second.frames + 20)]))


def test_a_shot_without_a_label_is_left_empty(cut_at_twenty: tuple[Footage, Track], engine: Engine) -> None:
    footage, truth = cut_at_twenty
    for frame, empty, filled in ((12, slice(20, 40), slice(0, 20)), (20, slice(0, 20), slice(20, 40))):
        poses = run(footage, sparse(truth, frame), engine)
        for name in ("visibility", "xy", "score", "radius90"):
            assert not getattr(poses, name)[empty].any()
        assert (poses.visibility[filled] > 0).any(axis=1).all()


def test_a_keypoint_is_known_only_in_shots_that_label_it(cut_at_twenty: tuple[Footage, Track], engine: Engine) -> None:
    footage, truth = cut_at_twenty
    keyframes = sparse(truth, 5, 15, 25, 35)
    keyframes.visibility[2:, 4] = 0
    keyframes.visibility[:2, 6] = 0
    poses = run(footage, keyframes, engine)
    assert (poses.visibility[:20, 4] > 0).all()
    assert not poses.visibility[20:, 4].any()
    assert not poses.visibility[:20, 6].any()
    assert (poses.visibility[20:, 6] > 0).all()


def test_what_is_known_of_cuts_changes_nothing(cut_at_twenty: tuple[Footage, Track], engine: Engine) -> None:
    footage, truth = cut_at_twenty
    keyframes = sparse(truth, 8, 33)
    together = [poses for _, _, poses in propagate(footage, {1: keyframes}, engine=engine)]
    for place, poses in zip(plan_tracks({1: keyframes}, 0, 40), together, strict=True):
        alone = next(propagate(footage, {1: keyframes}, engine=engine, segments=[place]))[2]
        assert equal(alone, poses)
    windows = [(1, segment) for segment in plan(keyframes, 0, 40, longest=11)]
    parts = [poses for _, _, poses in propagate(footage, {1: keyframes}, engine=engine, segments=windows)]
    assert equal(join(parts), join(together))


def test_tracks_advance_together() -> None:
    keyframes = {2: points([0, 10], [[(4, 4)]] * 2), 1: points([5], [[(4, 4)]])}
    assert plan_tracks(keyframes, 0, 20) == [
        (1, Segment(0, 5)),
        (2, Segment(0, 10)),
        (1, Segment(5, 20)),
        (2, Segment(10, 20)),
    ]


@pytest.mark.parametrize(
    ("keyframes", "options", "sentence"),
    [
        ({1: points([30], [[(4, 4)]])}, {}, "track 1 has a keyframe on frame 30, but the video has frames 0 to 9"),
        ({7: Track.empty(3)}, {}, "track 7 has no labelled point"),
        ({1: points([3], [[(4, 4)]])}, {"engine": "magic"}, "no engine 'magic'"),
        ({1: points([3], [[(4, 4)]])}, {"stop": 11}, "frames 0 to 11 are not in the video"),
        ({1: points([3], [[(4, 4)]])}, {"segments": [(2, Segment(0, 3))]}, "no keyframes of track 2"),
    ],
)
def test_impossible_wishes_are_refused_at_once(
    keyframes: dict[int, Track], options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(PropagationError, match=sentence):
        propagate(noise(10), keyframes, **options)
