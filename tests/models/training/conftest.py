from __future__ import annotations

from pathlib import Path

import pytest

from models.training.subjects import Subject
from pose.frame_table import scan
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter


@pytest.fixture(scope="session")
def fly(tmp_path_factory: pytest.TempPathFactory) -> tuple[Subject, Skeleton]:
    """A fly on 40 frames, all labelled."""
    spec = SceneSpec(seed=4, kind="fly", num_frames=40, width=192, height=160, size=0.5, occlusion=0.0)
    scene = Scene(spec)
    path = tmp_path_factory.mktemp("fly") / "fly.mp4"
    with VideoWriter(path, spec.fps, spec.width, spec.height) as writer:
        for frame in scene.frames():
            writer.write(frame)
    return Subject.labelled("fly", path, scene.tracks[1], table=scan(path)), scene.skeleton


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "stills"
