from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.estimate import EstimateError, boxes_on, estimate
from models.estimators.checkpoints import Loaded, load
from models.estimators.presets import RANDOM, build, configure
from models.search import search
from models.training.subjects import Subject
from models.training.train import TrainConfig, train
from pose import boxes
from pose.frame_table import scan
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join
from pose.video import Video
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
    with Video(path, scan(path)) as video:
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
    with Video(path, scan(path)) as video:
        ((track_id, _, found),) = estimate(video, trained, start=10, stop=40, device="cpu")
    assert track_id == 1
    assert (found.frames == np.arange(10, 40)).all()
    assert error(found, truth) < 0.2


def test_windows_do_not_depend_on_where_they_begin(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, truth, _ = filmed
    with Video(path, scan(path)) as video:
        once = list(estimate(video, trained, {1: truth}, device="cpu"))
        again = list(estimate(video, trained, {1: truth}, batch=5, device="cpu"))
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
    with Video(path, scan(path)) as video, pytest.raises(EstimateError, match=words):
        next(estimate(video, trained, **arguments))


def test_a_track_without_a_pose_tells_nothing(filmed, trained: Loaded) -> None:  # type: ignore[no-untyped-def]
    path, _, skeleton = filmed
    with Video(path, scan(path)) as video, pytest.raises(EstimateError, match="track 3 has no pose"):
        next(estimate(video, trained, {3: Track.empty(skeleton.size)}))
