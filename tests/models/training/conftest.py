from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from models.training.subjects import Subject, hold_out
from models.training.train import Epoch, train
from pose.frame_table import scan
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter
from tests.models.training.quick import QUICK


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


@pytest.fixture
def split(fly: tuple[Subject, Skeleton]) -> tuple[list[Subject], list[Subject]]:
    return hold_out([fly[0]], 0.25, 0)


@dataclass(frozen=True)
class Finished:
    """A training of three epochs that has ended.

    Attributes:
        folder: What it left, to be read alone.
        epochs: What it told.
        steps: How often it let somebody call it off.
    """

    folder: Path
    epochs: list[Epoch]
    steps: int

    def copied(self, folder: Path) -> Path:
        """What it left, in a folder of one's own."""
        return shutil.copytree(self.folder, folder)


@pytest.fixture(scope="session")
def finished(fly: tuple[Subject, Skeleton], tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder, steps = tmp_path_factory.mktemp("finished"), itertools.count()
    learnt, aside = hold_out([fly[0]], 0.25, 0)
    epochs = list(train(QUICK, fly[1], learnt, aside, folder, step=lambda: next(steps)))
    return Finished(folder, epochs, next(steps))
