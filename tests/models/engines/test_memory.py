"""Remembering what was computed: it saves work and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from models.engines.memory import Memory
from models.engines.stdpose import StdPoseEngine
from models.stdpose import StdPose
from pose.segments import Segment
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join


class Named:
    """Frames in memory that have a key; counts those given."""

    key = "a video"

    def __init__(self, images: np.ndarray) -> None:
        self._images = images
        self.num_frames, self.height, self.width = images.shape[:3]
        self.given = 0

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        for image in self._images[start:stop]:
            self.given += 1
            yield image[..., 0] if gray else image


def test_what_was_used_longest_ago_is_forgotten() -> None:
    memory = Memory(room=10)
    for name in "abc":
        memory.put(name, name.upper(), 4)
        memory.get("a")
    assert [memory.get(name) for name in "abc"] == ["A", None, "C"]
    memory.put("a", "again", 4)
    assert memory.get("c") == "C"
    memory.put("large", "LARGE", 100)
    assert memory.get("large") == "LARGE"


@pytest.mark.slow
def test_a_click_reads_no_frame_again_and_gives_what_a_fresh_engine_gives(network: StdPose) -> None:
    scene = Scene(SceneSpec(seed=4, num_frames=13, width=160, height=120, action="walk"))
    video = Named(np.stack(list(scene.frames())))
    truth = scene.tracks[1]
    keyframes = truth.select(np.array([0, 12]))
    engine = StdPoseEngine(network)
    engine.propagate(video, keyframes, Segment(0, 12))
    assert video.given > 0

    marks = np.zeros((1, truth.num_keypoints, 3), dtype=np.float32)
    marks[0, 4] = (*(truth.xy[5, 4] + 3), 2)
    click = Track.labelled([5], marks)
    corrected = keyframes.over(click)
    video.given = 0
    segments = (Segment(0, 5), Segment(5, 12))
    remembered = join([engine.propagate(video, corrected, segment) for segment in segments])
    assert video.given == 0
    fresh = join([StdPoseEngine(network).propagate(video, corrected, segment) for segment in segments])
    np.testing.assert_array_equal(remembered.xy, fresh.xy)
    np.testing.assert_array_equal(remembered.radius90, fresh.radius90)
    np.testing.assert_array_equal(remembered.xy[5, 4], click.xy[0, 4])
