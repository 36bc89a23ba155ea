"""Draws the picture of the README: three keyframes above, the poses propagated between them below."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

from cli.sample import write_sample
from models.propagate import propagate
from pose.drawing import contact_sheet, draw_pose
from pose.formats.coco import read_coco
from pose.segments import Segment
from pose.synthetic import SceneSpec
from pose.track import Track, join
from pose.video import VideoReader

SCENE = SceneSpec(seed=8, kind="person", num_frames=41, width=960, height=540, action="walk")
KEYFRAMES = (0, 20, 40)
BETWEEN = (5, 10, 15, 25, 30, 35)
TARGET = Path("docs/images/loop.png")


def main() -> None:
    """Render, propagate with the engine ``auto``, draw."""
    with tempfile.TemporaryDirectory() as folder:
        video, truth_file = write_sample(SCENE, Path(folder))
        truth = read_coco(truth_file.read_bytes())
        labels = truth.tracks[1].select(np.flatnonzero(np.isin(truth.tracks[1].frames, KEYFRAMES)))
        with VideoReader(video) as reader:
            parts: list[tuple[Segment, Track]] = [
                (segment, poses) for _, segment, poses in propagate(reader, {1: labels})
            ]
            track = join([poses for _, poses in sorted(parts, key=lambda part: part[0])])
            frames = list(reader.frames())
    left, right = _span(track, SCENE.width)

    def shown(index: int) -> np.ndarray:
        drawn = draw_pose(
            frames[index], track.xy[index], track.visibility[index], truth.skeleton, keyframe=index in KEYFRAMES
        )
        return drawn[:, left:right]

    above = contact_sheet([shown(index) for index in KEYFRAMES], [f"frame {i}: labelled" for i in KEYFRAMES], columns=3)
    below = contact_sheet([shown(index) for index in BETWEEN], [f"{i}: propagated" for i in BETWEEN], columns=6)
    scale = below.shape[1] / above.shape[1]
    above = cv2.resize(above, (below.shape[1], round(above.shape[0] * scale)), interpolation=cv2.INTER_CUBIC)
    picture = cv2.resize(np.vstack([above, below]), None, fx=0.42, fy=0.42, interpolation=cv2.INTER_AREA)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(TARGET)


def _span(track: Track, width: int) -> tuple[int, int]:
    known = track.xy[track.visibility > 0]
    left, right = known[:, 0].min() - 60, known[:, 0].max() + 60
    return max(0, int(left)), min(width, int(right))


if __name__ == "__main__":
    main()
