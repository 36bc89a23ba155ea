"""Points of real video are followed where they go, and only as long as they are seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.pretraining.clips import Films, clips
from models.pretraining.filmed import FRAMES, _subjects, filmed
from pose.video_writer import VideoWriter

_WIDTH, _HEIGHT, _SIDE = 160, 120, 60
_STEP = np.array([1.0, 0.5])
_BEGIN = np.array([8, 10])


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A textured square that moves by a step a frame over a plain wall."""
    rng = np.random.default_rng(4)
    texture = np.kron(rng.integers(0, 256, (_SIDE // 6, _SIDE // 6, 3)), np.ones((6, 6, 1))).astype(np.uint8)
    path = tmp_path_factory.mktemp("filmed") / "square.mp4"
    with VideoWriter(path, 30, _WIDTH, _HEIGHT) as writer:
        for t in range(FRAMES):
            frame = np.full((_HEIGHT, _WIDTH, 3), 120, dtype=np.uint8)
            left, top = np.rint(_BEGIN + t * _STEP).astype(int)
            frame[top : top + _SIDE, left : left + _SIDE] = texture
            writer.write(frame)
    return path


def test_points_move_with_what_they_are_on(video: Path) -> None:
    stretch = filmed(np.random.default_rng(0), [video])
    assert stretch is not None
    for xy, visibility in zip(stretch.positions, stretch.visibility, strict=True):
        seen = (visibility[1:] > 0) & (visibility[:-1] > 0)
        steps = np.diff(xy, axis=0)[seen]
        assert len(steps)
        assert np.linalg.norm(steps.mean(axis=0) - _STEP) < 0.15


def test_the_same_seed_films_the_same(video: Path) -> None:
    first, second = (filmed(np.random.default_rng(1), [video]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.images.tobytes() == second.images.tobytes()
    assert [xy.tobytes() for xy in first.positions] == [xy.tobytes() for xy in second.positions]


def test_clips_are_cut_from_it(video: Path) -> None:
    made = list(clips(0, 1, 2, footage=Films((video,), share=1.0)))
    assert made
    for clip in made:
        assert clip.xy.shape == clip.flow.shape
        assert (clip.window.valid & ~clip.window.anchored).any()


def test_a_video_in_which_nothing_can_be_followed_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    rng = np.random.default_rng(2)
    with VideoWriter(path, 30, 64, 48) as writer:
        for _ in range(20):
            writer.write(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    assert filmed(np.random.default_rng(0), [path]) is None


def test_a_frame_in_which_nothing_is_followed_has_no_camera_and_is_no_trouble():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 100, (80, 2)) + rng.normal(0, 1, (9, 80, 2))
    known = np.ones((9, 80), dtype=bool)
    known[3] = False
    for chosen in _subjects(rng, xy, known, 4):
        assert 0 <= chosen.min() < chosen.max() < 80
