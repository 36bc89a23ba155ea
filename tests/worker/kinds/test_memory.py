"""Where memory runs out, the same poses come in smaller steps, or a sentence says that they cannot."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.compute.devices import choose
from models.engines.cuts import Cuts
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.segments import Segment
from pose.track import Track
from worker.context import TooLittleMemory
from worker.kinds.memory import OomRetry, OomRetryBatches

FRAMES = 12
_MORE_THAN_THERE_IS = 1 << 50  # bytes


class Noise:
    key, num_frames, width, height = None, FRAMES, 160, 120

    def frames(self, start=0, stop=None, *, gray=False):
        for index in range(start, FRAMES if stop is None else stop):
            image = np.random.default_rng(index).integers(0, 255, (120, 160), dtype=np.uint8)
            yield image if gray else np.repeat(image[..., None], 3, axis=2)


def propagate(engine, told=None):
    points = np.array([[50, 30, 2], [110, 75, 2], [75, 100, 2]], dtype=np.float32)
    keyframes = Track.labelled([0, FRAMES - 1], np.stack([points, points + np.float32([5, 5, 0])]))
    return OomRetry(engine, told).propagate(Noise(), keyframes, Segment(0, FRAMES), Cuts(scanned=[(0, FRAMES)]))


def needing_much(engine, monkeypatch, most):
    """The engine, on a machine whose allocator refuses to describe more than so many frames together."""
    describe, tried = engine.network.describe, []

    def greedy(pixels):
        tried.append(len(pixels))
        if len(pixels) > most:
            torch.empty(_MORE_THAN_THERE_IS, dtype=torch.uint8)
        return describe(pixels)

    monkeypatch.setattr(engine.network, "describe", greedy)
    return tried


@pytest.fixture
def engine():
    return StdPoseEngine.from_checkpoint(TINY, compute=choose("cpu"))


def test_out_of_memory_ends_in_the_same_poses_in_smaller_steps(engine, monkeypatch):
    expected = propagate(engine)
    tried = needing_much(engine, monkeypatch, 1)
    poses = propagate(engine)
    assert tried == [4, 2, *[1] * FRAMES]
    assert np.abs(poses.xy - expected.xy).max() < 0.05
    propagate(engine)
    assert tried[2 + FRAMES :] == [1] * FRAMES


def test_each_time_that_memory_ran_out_is_told(engine, monkeypatch):
    needing_much(engine, monkeypatch, 1)
    told = []
    propagate(engine, told.append)
    assert len(told) == 2
    assert all(text.startswith("out of memory (") and text.endswith("going on in smaller steps") for text in told)


def test_what_does_not_fit_at_all_is_said_in_a_sentence(engine, monkeypatch):
    needing_much(engine, monkeypatch, 0)
    with pytest.raises(TooLittleMemory, match="too little memory for frames 0 to 11, even in the smallest steps"):
        propagate(engine)


def test_an_engine_without_steps_says_so_at_once():
    class Greedy:
        name, version = "greedy", "1"

        def propagate(self, video, keyframes, segment):
            return bytearray(_MORE_THAN_THERE_IS << 10)

    with pytest.raises(TooLittleMemory):
        propagate(Greedy())


def test_other_errors_stay_what_they_are():
    class Broken:
        name, version = "broken", "1"

        def propagate(self, video, keyframes, segment):
            raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        propagate(Broken())


def test_batches_are_halved_where_memory_does_not_suffice():
    tried, told = [], []

    def compute(size):
        tried.append(size)
        if size > 3:
            raise MemoryError
        return size

    batches = OomRetryBatches(16, told.append)
    assert batches.run(compute, Segment(0, 9)) == 2
    assert batches.run(compute, Segment(9, 18)) == 2
    assert tried == [16, 8, 4, 2, 2]
    assert len(told) == 3


def test_not_even_batches_of_one():
    def compute(size):
        torch.empty(_MORE_THAN_THERE_IS, dtype=torch.uint8)

    with pytest.raises(TooLittleMemory, match="frames 5 to 8"):
        OomRetryBatches(4).run(compute, Segment(5, 9))


def test_other_errors_of_a_batch_are_not_about_memory():
    def compute(size):
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        OomRetryBatches(4).run(compute, Segment(0, 9))
