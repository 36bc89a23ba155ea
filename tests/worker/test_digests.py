"""What is stored is found again by digests: their exact values, whatever the classes behind them are called.

A value that changes here has stored segments computed again, fits videos anew, or holds out other frames than a project
has been measured on. So these values are never changed; what computes otherwise has another version.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
import torch

from app.labels.history import Labels
from app.runs.packing import Piece, Wanted
from app.tables import Video
from app.trainings.holdout import choose
from app.trainings.spans import Span, Spans
from models.adaptation.adaptation import version_of
from models.adaptation.fitting import AdaptRecipe
from models.backbones.config import BackboneConfig
from models.compute.devices import choose as choose_device
from models.estimators.checkpoints import Loaded
from models.estimators.detector import with_estimator
from models.estimators.presets import build, configure
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose, StdPoseConfig
from models.training.subjects import Subject, digest_of
from pose.segments import Segment
from pose.skeleton import Skeleton
from pose.track import Track
from worker.kinds.estimate import piece_of
from worker.kinds.propagation import digest_of as segment_digest

_TINY = StdPoseConfig(
    backbone=BackboneConfig(widths=(8, 8, 8, 8), channels=8), channels=16, blocks=1, heads=2, radius=2, rounds=1
)


def track(*, absent: bool = False) -> Track:
    """Two keypoints on the frames 0, 7 and 20, of which the first is absent on the last where that is wanted."""
    points = np.arange(18, dtype=np.float32).reshape(3, 2, 3) * 1.25
    points[..., 2] = [[2, 1], [2, 2], [0, 2]]
    gone = np.zeros((3, 2), dtype=bool)
    gone[2, 0] = absent
    return Track.labelled([0, 7, 20], points, gone)


def engine(weights: str = "ab" * 32) -> StdPoseEngine:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        return StdPoseEngine(StdPose(_TINY), weights, choose_device("cpu", "fp32"))


def test_of_a_segment() -> None:
    video = Video(proxy_sha256="cd" * 32)
    assert (
        segment_digest("flow 2", video, Segment(7, 20), track())
        == "f607589ba23fc0b4bad98e8b9882e146acd7edbeb8bd93fb966039eef9a6d030"
    )
    assert (
        segment_digest("flow 2", video, Segment(7, 20), track(absent=True))
        == "7b9f7bdf852585d4a64a2cfa7dbe90d2c988a9299e1402152398259a8fbf792c"
    )


def test_of_an_estimate_s_piece() -> None:
    empty = Track.empty(2)
    assert (
        piece_of("estimate 1 ab cd", 3, Segment(0, 512), track(), empty).input_sha256
        == "2b171f02846340a34f75542b897793072d9e843caacdb18bff91af49fba100d8"
    )
    assert (
        piece_of("estimate 1 ab cd", 3, Segment(0, 512), track(), track(absent=True)).input_sha256
        == "a27650cc5551b35890d5b69a489009e0aebd90d57bd4a0def34b082274d88011"
    )


def test_of_a_slab() -> None:
    pieces = (Piece(1, 0, 512, "ab" * 32), Piece(4, 7, 519, "cd" * 32))
    assert (
        Wanted(2, 0, (1, 4), 2, pieces).input_sha256
        == "2d2b73092173c43945cdb68c6ef1f774d83de15ad502ca81c211f781580950c0"
    )
    assert (
        Wanted(0, 1, (70,), 64, pieces[:1]).input_sha256
        == "c44bbe2f0fcf057e89f374203b9946b3154d09d85b5f15acc74f43c3c66d99c2"
    )
    assert Wanted(0, 0, (1,), 1, ()).input_sha256 == "131cf7cd56ad3260a81d8618b63e2d8d39b813a0119eb1e4e79b1ee2128fc889"


def test_of_an_engine_and_one_that_is_fitted_to_a_video() -> None:
    assert engine().version == "2-abababababab-fp32"
    labels = {2: track(), 1: track(absent=True)}
    assert version_of(engine(), labels) == "2-abababababab-fp32-56b4043ca745"
    assert version_of(engine(), labels, AdaptRecipe(steps=7, seconds=1.5)) == "2-abababababab-fp32-b9cd5dee26b5"
    every = AdaptRecipe(
        seed=1,
        steps=2,
        seconds=3,
        rounds=4,
        images_per_step=5,
        pictures=6,
        pseudo_share=7,
        score_power=8,
        least_score=9,
        rate=10,
        backbone_rate=11,
        weight_decay=12,
        jitter=13,
    )
    assert version_of(engine(), labels, every) == "2-abababababab-fp32-5a98f892fcee"


@pytest.mark.parametrize("name", [field.name for field in fields(AdaptRecipe)])
def test_of_how_an_engine_is_fitted_says_all_of_it(name: str) -> None:
    assert version_of(engine(), {}, AdaptRecipe(**{name: 3})) != version_of(engine(), {}, AdaptRecipe(**{name: 5}))


def test_of_an_engine_that_a_checkpoint_helps() -> None:
    skeleton = Skeleton(name="pair", keypoints=("nose", "tail"))
    estimator = build("single_frame", configure("single_frame", "tiny", 2), pretrained="random")
    loaded = Loaded(estimator, "single_frame", skeleton, {}, "ef" * 32)
    assert (
        with_estimator(engine(), loaded, ("tail", "ear", "nose")).version == "2-abababababab-fp32-detector-8030c177cfea"
    )


def test_of_what_an_estimator_learns_from(tmp_path) -> None:
    subjects = [
        Subject.labelled("video.mp4/1", tmp_path, track()),
        Subject.labelled("video.mp4/2", tmp_path, track(absent=True)),
    ]
    assert digest_of(subjects) == "804e5cb7a5a15d582595e3533b016c2c2500d794633f9d2404f8c2a9c09f8246"


def test_of_the_frames_that_are_held_out() -> None:
    def labels(frames: range) -> Labels:
        points = np.tile(np.float32([10, 20, 2]), (len(frames), 2, 1))
        ones = np.ones(len(frames), dtype=np.int64)
        return Labels(np.asarray(frames, dtype=np.int64), ones, points, ones)

    alone = choose({3: labels(range(0, 200, 10))}, {3: 200}, Spans(), seed=5)
    assert [(span.video, span.start, span.stop) for span in alone] == [(3, 51, 80), (3, 111, 140)]
    more = {video: labels(range(0, 100, 10 - video % 3)) for video in range(1, 8)}
    chosen = choose(more, dict.fromkeys(more, 100), Spans([Span(2, 0, 40)]), seed=1)
    assert [(span.video, span.start, span.stop) for span in chosen] == [(3, 0, 100), (6, 41, 60)]
