"""Absences that were said are learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from models.estimators.checkpoints import load
from models.estimators.predict import estimate
from models.training.clips import Clips
from models.training.subjects import Subject
from models.training.train import train
from models.training.validation import predict
from pose.frame_table import scan
from pose.skeleton import Skeleton
from pose.track import Track, join
from pose.video import VideoReader
from pose.video_writer import VideoWriter
from tests.models.training.quick import QUICK


class Parade:
    """Three discs of different colours that drift over a pattern; on some frames there is the pattern alone."""

    FRAMES, SIZE = 72, (96, 72)
    GONE = tuple(range(12, 24)) + tuple(range(48, 60))
    SKELETON = Skeleton(name="discs", keypoints=("red", "green", "blue"))

    def __init__(self, folder: Path) -> None:
        times = np.arange(self.FRAMES)[:, None, None]
        waves = np.sin(times * np.array([[0.11, 0.07], [0.05, 0.13], [0.09, 0.04]]) + np.arange(6).reshape(3, 2))
        self.points = (0.5 + 0.32 * waves) * self.SIZE
        self.path = folder / "parade.mp4"
        grid = np.stack(np.meshgrid(*map(np.arange, self.SIZE)), axis=-1)
        pattern = np.random.default_rng(0).integers(20, 60, (self.SIZE[1] // 6, self.SIZE[0] // 6, 3), dtype=np.uint8)
        pattern = pattern.repeat(6, axis=0).repeat(6, axis=1)
        with VideoWriter(self.path, 25, *self.SIZE) as writer:
            for frame, points in enumerate(self.points):
                discs = [(np.linalg.norm(grid - point, axis=-1) < 7) & (frame not in self.GONE) for point in points]
                writer.write(pattern + np.stack(discs, axis=-1).astype(np.uint8) * 190)

    def subject(self, *, absent: bool) -> Subject:
        """With what people said of absence, or with the places alone."""
        frames = np.arange(self.FRAMES)
        gone = np.repeat(np.isin(frames, self.GONE)[:, None], 3, axis=1)
        points = np.concatenate([self.points, np.where(gone, 0, 2)[..., None]], axis=-1)
        track = Track.labelled(frames, points, gone)
        return Subject.labelled("parade", self.path, track if absent else track.without(gone), table=scan(self.path))


def test_absent_subjects_get_lower_scores_once_it_is_learnt(tmp_path: Path) -> None:
    parade = Parade(tmp_path)
    gone = np.isin(np.arange(parade.FRAMES), parade.GONE)
    scores, heights = {}, {}
    for absent in (True, False):
        subject, folder = parade.subject(absent=absent), tmp_path / f"absent-{absent}"
        # What is kept aside shows both, as what is learnt from does.
        inside = np.arange(parade.FRAMES) % 36 // 6
        learnt, aside = subject.select(~np.isin(inside, (1, 2))), subject.select(np.isin(inside, (1, 2)))
        config = replace(QUICK, epochs=6, clips=64, patience=0, rate=2e-3)
        curve = list(train(config, parade.SKELETON, [learnt], [aside], folder))
        loaded = load(folder / "best.safetensors")
        around = {1: parade.subject(absent=False).whereabouts}
        with VideoReader(parade.path, scan(parade.path)) as video:
            found = join([track for _, _, track in estimate(video, loaded, around, device="cpu")])
        scores[absent] = found.score[gone].mean(), found.score[~gone].mean()
        clips = Clips([parade.subject(absent=True)], parade.SKELETON, loaded.estimator.config, folder / "all")
        (height,) = predict(loaded.estimator, clips, torch.device("cpu"))[1]
        heights[absent] = height[gone].mean(), height[~gone].mean()
        assert bool(loaded.recipe["presence"]) == absent
        assert ("false_positives" in curve[-1].validation) == absent
    assert heights[True][0] < 0.7 * heights[True][1]
    assert heights[True][0] < heights[False][0]
    assert scores[True][0] < 0.5 * scores[True][1]
