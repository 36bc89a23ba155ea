"""Rendered people whom things pass in front of, with bursts of blur; every frame is labelled.

A few people are each filmed for long, as in a laboratory, and each film is cut into short videos. What one frame does
not show, those around it do: things take three to ten frames to sweep through the picture, and a burst of blur lasts
one or two.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from models.training.subjects import Subject
from pose.frame_table import scan
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.track import Track
from pose.video_writer import VideoWriter

FRAMES = 30  # of a video
PEOPLE = 8
VIDEOS = 47  # of each of them
_SEED = 0x0CC1


def spec(person: int) -> SceneSpec:
    """The recipe of all videos of one of the people."""
    rng = np.random.default_rng((_SEED, person))
    return SceneSpec(
        seed=int(rng.integers(2**31)),
        kind="person",
        num_frames=FRAMES * VIDEOS,
        width=288,
        height=216,
        size=float(rng.uniform(0.75, 0.95)),
        speed=float(rng.uniform(0.4, 0.8)),
        occlusion=0.0,  # what stands in front hides the same on all frames
        motion_blur=float(rng.uniform(0.2, 0.6)),
        defocus=0.0,
        camera_motion=float(rng.uniform(0.0, 0.3)),
        compression=float(rng.uniform(0.0, 0.3)),
        clutter=float(rng.uniform(0.0, 0.4)),
    )


def render(folder: Path, person: int, numbers: Sequence[int], step: int) -> None:
    """Write videos of one of the people and their truth, unless they are there, from each ``step``-th frame of film."""
    cv2.setNumThreads(1)
    scene = Scene(spec(person))
    for number in numbers:
        path = folder / f"{number:04d}.mp4"
        if path.with_suffix(".npz").exists():
            continue
        start, rng = number // PEOPLE * FRAMES * step, np.random.default_rng((_SEED, number, 1))
        track = scene.tracks[1].select(np.arange(start, start + FRAMES * step, step))
        frames, visibility = swept(rng, np.stack([scene.frame(index) for index in track.frames.tolist()]), track)
        with VideoWriter(path, scene.spec.fps, scene.spec.width, scene.spec.height) as writer:
            for frame in blurred(rng, frames):
                writer.write(frame)
        points = np.concatenate([track.xy, visibility[..., None]], axis=-1)
        np.savez(path.with_suffix(".npz"), frames=np.arange(FRAMES), points=points)


def swept(rng: np.random.Generator, frames: np.ndarray, track: Track) -> tuple[np.ndarray, np.ndarray]:
    """Bars that sweep over the picture ``(F, H, W, 3)`` one after the other; what they cover is hidden ``(F, K)``."""
    frames, visibility = frames.copy(), track.visibility.copy()
    count, height, width = frames.shape[:3]
    rows, columns = np.mgrid[:height, :width]
    start = -int(rng.integers(0, 6))
    while start < count:
        lasts, angle = int(rng.integers(3, 11)), rng.uniform(0, 2 * np.pi)
        thick, colour = rng.uniform(0.1, 0.2) * height, rng.integers(0, 256, 3)
        along = (columns - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle)
        reach = np.abs(along).max() + thick
        stripes = 1 + 0.2 * np.sin(along / rng.uniform(2, 9))
        look = np.clip(stripes[..., None] * colour, 0, 255).astype(np.uint8)
        for step in range(max(0, -start), min(lasts, count - start)):
            bar = np.abs(along - reach * (2 * (step + 0.5) / lasts - 1)) < thick
            frames[start + step][bar] = look[bar]
            place = np.rint(track.xy[start + step]).astype(int).clip(0, (width - 1, height - 1))
            covered = bar[place[:, 1], place[:, 0]]
            visibility[start + step, covered & (visibility[start + step] == 2)] = 1
        start += lasts + int(rng.integers(1, 5))
    return frames, visibility


def blurred(rng: np.random.Generator, frames: np.ndarray) -> np.ndarray:
    """Bursts of blur, as when a camera is knocked or loses focus."""
    frames, index = frames.copy(), int(rng.integers(0, 5))
    while index < len(frames):
        sigma = float(rng.uniform(2.5, 6.0))
        for burst in range(index, min(index + int(rng.integers(1, 3)), len(frames))):
            frames[burst] = cv2.GaussianBlur(frames[burst], (0, 0), sigma)
        index += int(rng.integers(3, 9))
    return frames


def people(folder: Path, first: int, count: int, step: int = 1) -> tuple[Skeleton, list[Subject]]:
    """Videos ``first`` to ``first + count``, rendered into ``folder`` where they are not there yet.

    The people take turns, and the videos of each are in order of time. With a ``step`` above 1 they are filmed less
    often, and move more from frame to frame; such videos need a folder of their own.

    Raises:
        ValueError: There are not so many videos.
    """
    if first + count > PEOPLE * (VIDEOS // step):
        raise ValueError(f"there are {PEOPLE * (VIDEOS // step)} videos, not {first + count}")
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + count)
    own = [[number for number in numbers if number % PEOPLE == person] for person in range(PEOPLE)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(render, [folder] * PEOPLE, range(PEOPLE), own, [step] * PEOPLE))
    subjects = []
    for number in numbers:
        path = folder / f"{number:04d}.mp4"
        with np.load(path.with_suffix(".npz")) as truth:
            track = Track.labelled(truth["frames"], truth["points"])
        subjects.append(Subject.labelled(f"{number:04d}", path, track, table=scan(path)))
    return Scene(spec(0)).skeleton, subjects
