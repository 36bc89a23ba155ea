"""Scores fall where what was followed is gone, whatever the camera does, and stay where it only looks a bit other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from models.propagate import propagate
from models.registry import resolve
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join

FRAMES, WIDTH, HEIGHT = 61, 200, 160
HOME = np.array([100.0, 80.0])
POINTS = np.array([[-16, -28], [14, -24], [0, 0], [-14, 24], [16, 28]], dtype=float)
LABELLED = [0, 10, 18, 44, 52, 60]
GONE = np.arange(22, 41)  # frames


def texture(seed: int, height: int, width: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(height, width))
    blurred = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return (255 * (blurred - blurred.min()) / np.ptp(blurred)).astype(np.float32)


BACKGROUND = texture(1, HEIGHT, 4 * WIDTH)
SUBJECT = texture(2, 90, 70)
SHAPE = cv2.GaussianBlur(cv2.ellipse(np.zeros((90, 70), np.float32), ((34.5, 44.5), (62, 82), 0), 1, -1), (0, 0), 1)


@dataclass
class Clip:
    """Gray frames with truth ``(F, K, 2)`` and where the subject is gone."""

    pictures: list[np.ndarray]
    truth: np.ndarray
    key: str | None = None
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def num_frames(self) -> int:
        return len(self.pictures)

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for picture in self.pictures[start:stop]:
            yield picture if gray else np.repeat(picture[..., None], 3, axis=2)

    @property
    def labels(self) -> Track:
        points = np.concatenate([self.truth[LABELLED], np.full((len(LABELLED), len(POINTS), 1), 2)], axis=-1)
        return Track.labelled(LABELLED, points)


def film(
    place: Callable[[int], np.ndarray],
    camera: Callable[[int], float],
    zoom: Callable[[int], float] = lambda _: 1.0,
    turn: Callable[[int], float] = lambda _: 0.0,
    light: Callable[[int], float] = lambda _: 1.0,
    hidden: Callable[[int], bool] = lambda _: False,
) -> Clip:
    """A subject that stands at places in front of a background that a camera travels along."""
    pictures, truth = [], []
    middle = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    for index in range(FRAMES):
        scroll = np.array([[1, 0, -camera(index) - WIDTH], [0, 1, 0]], dtype=np.float64)
        picture = cv2.warpAffine(BACKGROUND, scroll, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        about = cv2.getRotationMatrix2D((34.5, 44.5), turn(index), 1.0)
        about[:, 2] += place(index) - (34.5, 44.5)
        body, shape = (cv2.warpAffine(each, about, (WIDTH, HEIGHT)) for each in (SUBJECT, SHAPE))
        picture = picture * (1 - shape) + body * shape
        if hidden(index):
            picture[20:150, 40:160] = texture(3, 130, 120)
        points = POINTS @ about[:, :2].T + place(index)
        lens = cv2.getRotationMatrix2D(tuple(middle), 0, zoom(index))
        picture = cv2.warpAffine(picture, lens, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        pictures.append(np.clip(picture * light(index) + 4 * (light(index) - 1), 0, 255).astype(np.uint8))
        truth.append(points @ lens[:, :2].T + lens[:, 2])
    return Clip(pictures, np.array(truth))


def away(index: int) -> float:
    """How far the subject has gone by a frame: it is out of the picture on the frames that are ``GONE``."""
    return float(np.interp(index, [0, 18, 22, 40, 44, 60], [0, 0, 180, 180, 0, 0]))


LEAVING = {
    "a static camera": film(lambda i: HOME - (away(i), 0), lambda i: 0.0),
    "a camera that turns away": film(lambda i: HOME - (away(i), 0), away),
    "a camera that travels on": film(lambda i: HOME - (away(i), 0), lambda i: 3.0 * i),
    "something in front": film(lambda i: HOME, lambda i: 0.0, hidden=lambda i: 22 <= i <= 40),
    "a camera that zooms": film(lambda i: HOME - (away(i), 0), lambda i: 0.0, zoom=lambda i: 1 + 0.006 * i),
}
STAYING = {
    "a static camera": film(lambda i: HOME, lambda i: 0.0),
    "a camera that travels on": film(lambda i: HOME, lambda i: 3.0 * i),
    "a subject that moves": film(lambda i: HOME + np.array([30 * np.sin(i / 8), 10 * np.cos(i / 5)]), lambda i: 0.0),
    "a camera that zooms": film(lambda i: HOME, lambda i: 0.0, zoom=lambda i: 1 + 0.008 * i),
    "a subject that turns": film(lambda i: HOME, lambda i: 0.0, turn=lambda i: 2.0 * i),
    "light that falls": film(lambda i: HOME, lambda i: 0.0, light=lambda i: 1 - 0.009 * i),
}


def poses(engine: str, clip: Clip) -> Track:
    chosen = StdPoseEngine.from_checkpoint(TINY) if engine == "stdpose" else resolve(engine)
    return join([part for _, _, part in propagate(clip, {1: clip.labels}, engine=chosen)])


@pytest.mark.parametrize("camera", LEAVING)
def test_a_subject_that_is_gone_has_no_score(camera):
    found = poses("flow", LEAVING[camera])
    assert found.score[GONE].max() < 0.5
    there = np.setdiff1d(np.arange(FRAMES), [*GONE, *LABELLED, 19, 20, 21, 41, 42, 43])
    assert (found.score[there] >= 0.3).mean() > 0.9


def test_a_subject_that_is_gone_has_no_score_by_the_network_either():
    found = poses("stdpose", LEAVING["a camera that turns away"])
    assert found.score[GONE].max() < 0.5


@pytest.mark.parametrize("camera", STAYING)
def test_a_subject_that_stays_keeps_its_score(camera):
    clip = STAYING[camera]
    found = poses("flow", clip)
    free = np.setdiff1d(np.arange(FRAMES), LABELLED)
    size = np.linalg.norm(np.ptp(POINTS, axis=0))
    right = np.linalg.norm(found.xy[free] - clip.truth[free], axis=-1) < 0.05 * size
    assert right.mean() > 0.9
    assert (found.score[free][right] >= 0.3).mean() > 0.95


def test_a_person_out_of_the_picture_has_no_score():
    """The picture is a window that travels over a wider one, in which the person stays."""
    scene = Scene(SceneSpec(seed=4, num_frames=FRAMES, width=480, height=240, action="wave"))
    middle = int(scene.tracks[1].xy[0, :, 0].mean())
    first = [int(np.clip(middle - 90 + 1.2 * away(index), 0, 300)) for index in range(FRAMES)]
    pictures = [
        np.ascontiguousarray(frame.mean(axis=-1).astype(np.uint8)[:, left : left + 180])
        for frame, left in zip(scene.frames(), first, strict=True)
    ]
    truth = scene.tracks[1].xy - np.array([[left, 0] for left in first])[:, None]
    outside = (truth[..., 0] < -5) | (truth[..., 0] > 185)
    gone = np.flatnonzero(outside.all(axis=1))
    assert len(gone) > 10
    clip = Clip(pictures, truth, width=180, height=240)
    labels = Track.labelled(LABELLED, np.concatenate([truth[LABELLED], np.full((6, truth.shape[1], 1), 2)], axis=-1))
    found = join([part for _, _, part in propagate(clip, {1: labels}, engine="flow")])
    assert found.score[gone].max() < 0.5
    still = [*range(1, 10), *range(11, 18), *range(45, 52), *range(53, 60)]
    assert (found.score[still] >= 0.3).mean() > 0.9
