from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.compute.devices import Compute
from models.engines.absence import left_over
from models.errors import CheckpointError
from models.estimators.checkpoints import Loaded, load
from models.estimators.detector import with_estimator
from models.estimators.predict import EstimateError, estimate
from models.estimators.presets import RANDOM, build, configure
from models.estimators.search import search
from models.estimators.views import boxes_on
from models.stdpose.engine import StdPoseEngine
from models.training.subjects import Subject
from models.training.train import TrainConfig, train
from models.weights import TINY
from pose import boxes
from pose.frame_table import scan
from pose.segments import plan
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join
from pose.video import VideoReader
from pose.video_writer import VideoWriter


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Track, Skeleton]:
    spec = SceneSpec(seed=4, kind="fly", num_frames=60, width=224, height=160, size=0.4, occlusion=0.0)
    scene = Scene(spec)
    path = tmp_path_factory.mktemp("fly") / "fly.mp4"
    with VideoWriter(path, spec.fps, spec.width, spec.height) as writer:
        for frame in scene.frames():
            writer.write(frame)
    return path, scene.tracks[1], scene.skeleton


@pytest.fixture(scope="module")
def trained(filmed: tuple[Path, Track, Skeleton], tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """An estimator that knows its video by heart."""
    path, track, skeleton = filmed
    folder = tmp_path_factory.mktemp("trained")
    subject = Subject.labelled("fly", path, track)
    config = TrainConfig(epochs=10, batch=8, clips=160, device="cpu", workers=1, changes={"height": 64, "width": 64})
    for _ in train(config, skeleton, [subject], [subject], folder):
        pass
    return load(folder / "best.safetensors")


def error(found: Track, truth: Track) -> float:
    rows = np.searchsorted(truth.frames, found.frames)
    known = truth.visibility[rows] > 0
    size = np.linalg.norm(boxes.around(truth.xy[rows], truth.visibility[rows])[:, 2:], axis=-1)[:, None]
    return float((np.linalg.norm(found.xy - truth.xy[rows], axis=-1) / size)[known].mean())


def test_poses_on_every_frame_of_marked_subjects(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, truth, _ = filmed
    marked = truth.select(np.isin(truth.frames, [0, 20, 40, 59]))
    with VideoReader(path, scan(path)) as video:
        parts = list(estimate(video, trained, {7: marked}, device="cpu"))
    assert {track_id for track_id, _, _ in parts} == {7}
    found = join([track for _, _, track in parts])
    assert (found.frames == np.arange(60)).all()
    assert error(found, truth) < 0.1
    assert np.isfinite(found.xy).all()
    assert ((found.score > 0) & (found.score <= 1)).all()
    assert (found.radius90 > 0).all()


def test_a_subject_that_nobody_marked_is_found(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, truth, _ = filmed
    with VideoReader(path, scan(path)) as video:
        ((track_id, _, found),) = estimate(video, trained, start=10, stop=40, device="cpu")
    assert track_id == 1
    assert (found.frames == np.arange(10, 40)).all()
    assert error(found, truth) < 0.2


def test_windows_do_not_depend_on_where_they_begin(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, truth, _ = filmed
    with VideoReader(path, scan(path)) as video:
        # In fp32: some processors round bf16 differently for another number of clips, by up to 0.1 px.
        once = list(estimate(video, trained, {1: truth}, device="cpu", precision="fp32"))
        again = list(estimate(video, trained, {1: truth}, batch=5, device="cpu", precision="fp32"))
    np.testing.assert_allclose(once[0][2].xy, again[0][2].xy, atol=1e-2)


def test_boxes_between_marks_are_between_theirs(filmed) -> None:  # type: ignore[no-untyped-def]
    _, truth, _ = filmed
    marked = truth.select(np.isin(truth.frames, [10, 30]))
    before, first, middle, last, after = boxes_on(marked, np.array([0, 10, 20, 30, 59]))
    np.testing.assert_allclose(before, first)
    np.testing.assert_allclose(middle, (first + last) / 2)
    np.testing.assert_allclose(after, last)


def test_nothing_to_be_found_is_the_whole_frame() -> None:
    nobody = build("stdpose", configure("stdpose", "tiny", 5, height=64, width=64), pretrained=RANDOM).eval()
    box = search(nobody, np.zeros((90, 120, 3), np.uint8))
    np.testing.assert_allclose(box, [0, 0, 120, 90])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"stop": 61}, "not in the video"), ({"start": -1}, "not in the video"), ({"device": "abacus"}, "no device")],
)
def test_bad_arguments(filmed, trained: Loaded, arguments, words: str) -> None:  # type: ignore[no-untyped-def]
    path, _, _ = filmed
    with VideoReader(path, scan(path)) as video, pytest.raises(EstimateError, match=words):
        next(estimate(video, trained, **arguments))


def said(truth: Track, states: dict[int, int | list[int]]) -> Track:
    """Labels that the subject is there (1), absent (-1), or that some of its points are absent."""
    marked = truth.select(np.isin(truth.frames, [*states]))
    gone = np.zeros(marked.visibility.shape, dtype=bool)
    for row, state in enumerate(states.values()):
        gone[row, state if isinstance(state, list) else slice(None)] = state != 1
    points = np.concatenate([marked.xy, np.where(gone, 0, 2)[..., None]], axis=-1)
    return Track.labelled(marked.frames, points, gone)


def test_there_is_no_pose_where_people_said_that_the_subject_is_absent(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, truth, _ = filmed
    labels = said(truth, {5: 1, 20: -1, 35: -1, 45: 1, 50: [2]})
    with VideoReader(path, scan(path)) as video:
        ((_, _, plain),) = estimate(video, trained, {7: labels}, stop=20, device="cpu")
        given = {7: labels, 8: truth}
        found = {n: track for n, _, track in estimate(video, trained, given, labels={7: labels}, device="cpu")}
    gone = found[7].visibility == 0
    assert np.flatnonzero(gone.all(axis=1)).tolist() == [*range(20, 36)]
    assert np.flatnonzero(gone[:, 2]).tolist() == [*range(20, 36), *range(50, 60)]
    for array in (found[7].xy, found[7].score, found[7].radius90):
        assert not array[gone].any()
    np.testing.assert_allclose(found[7].xy[:20], plain.xy, atol=1e-2)
    share = left_over(labels, plain.frames)
    np.testing.assert_allclose(found[7].score[:20], plain.score * share, atol=1e-3)
    assert (share[6:] < 1).all()
    assert (found[7].radius90[6:20] > plain.radius90[6:]).all()
    assert (found[8].visibility > 0).all()


def test_a_subject_that_nobody_marked_is_not_looked_for_where_it_is_absent(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, truth, _ = filmed
    with VideoReader(path, scan(path)) as video:
        (part,) = estimate(video, trained, labels={1: said(truth, {9: 1, 20: -1})}, stop=40, device="cpu")
        assert np.flatnonzero((part[2].visibility > 0).all(axis=1)).tolist() == [*range(20)]
        nowhere = Track.empty(truth.num_keypoints), said(truth, {20: -1})
        (part,) = estimate(video, trained, {3: nowhere[0]}, labels={3: nowhere[1]}, device="cpu")
    assert not part[2].visibility.any()


def test_a_track_without_a_pose_tells_nothing(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, _, skeleton = filmed
    with VideoReader(path, scan(path)) as video, pytest.raises(EstimateError, match="track 3 has no pose"):
        next(estimate(video, trained, {3: Track.empty(skeleton.size)}))


@pytest.fixture(scope="module")
def engine() -> StdPoseEngine:
    return StdPoseEngine.from_checkpoint(TINY, compute=Compute(torch.device("cpu"), "fp32"))


def _propagated(engine: StdPoseEngine, path: Path, labels: Track) -> Track:
    with VideoReader(path, scan(path)) as video:
        return join([engine.propagate(video, labels, segment) for segment in plan(labels, 0, 60)])


def test_an_estimator_that_knows_the_subject_helps_propagation(  # type: ignore[no-untyped-def]
    filmed, trained: Loaded, engine: StdPoseEngine
) -> None:
    path, truth, skeleton = filmed
    labels = truth.select(np.isin(truth.frames, [0, 59]))
    helped = with_estimator(engine, trained, skeleton.keypoints)
    assert helped.version.startswith(f"{engine.version}-detector-")
    alone, together = (_propagated(one, path, labels) for one in (engine, helped))
    assert error(together, truth) < 0.9 * error(alone, truth)
    np.testing.assert_array_equal(together.xy[[0, 59]], labels.xy)


def test_an_estimator_that_knows_nothing_does_not_harm_propagation(  # type: ignore[no-untyped-def]
    filmed, trained: Loaded, engine: StdPoseEngine
) -> None:
    path, truth, skeleton = filmed
    torch.manual_seed(0)
    untrained = build("stdpose", trained.estimator.config, pretrained=RANDOM).eval()
    labels = truth.select(np.isin(truth.frames, [0, 20, 40, 59]))
    helped = with_estimator(engine, replace(trained, estimator=untrained, sha256="none"), skeleton.keypoints)
    alone, together = (_propagated(one, path, labels) for one in (engine, helped))
    assert error(together, truth) < 1.02 * error(alone, truth)


def test_of_another_skeleton_points_of_the_same_name_help_and_none_is_refused(  # type: ignore[no-untyped-def]
    filmed, trained: Loaded, engine: StdPoseEngine
) -> None:
    path, truth, skeleton = filmed
    names = [f"other {name}" if index % 2 else name for index, name in enumerate(skeleton.keypoints)]
    labels = truth.select(np.isin(truth.frames, [0, 59]))
    half = _propagated(with_estimator(engine, trained, names), path, labels)
    alone = _propagated(engine, path, labels)
    assert error(half, truth) < 0.95 * error(alone, truth)
    with pytest.raises(CheckpointError, match="finds none of the keypoints that are labelled"):
        with_estimator(engine, trained, ["hoof"])
