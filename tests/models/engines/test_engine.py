"""Engines that compute long can be ended in between, and do not mind being asked."""

from __future__ import annotations

import numpy as np
import pytest

from models.compute.devices import choose
from models.engines.engine import Stepwise
from models.engines.flow import Flow
from models.engines.linear import Linear
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.segments import Segment
from pose.track import Track

FRAMES = 12


class Noise:
    key, num_frames, width, height = None, FRAMES, 160, 120

    def frames(self, start=0, stop=None, *, gray=False):
        for index in range(start, FRAMES if stop is None else stop):
            image = np.random.default_rng(index).integers(0, 255, (120, 160), dtype=np.uint8)
            yield image if gray else np.repeat(image[..., None], 3, axis=2)


class Enough(Exception):
    pass


def propagate(engine):
    points = np.array([[50, 30, 2], [110, 75, 2], [75, 100, 2]], dtype=np.float32)
    keyframes = Track.labelled([0, FRAMES - 1], np.stack([points, points + np.float32([5, 5, 0])]))
    return engine.propagate(Noise(), keyframes, Segment(0, FRAMES))


@pytest.mark.parametrize("make", [Flow, lambda: StdPoseEngine.from_checkpoint(TINY, compute=choose("cpu"))])
def test_it_can_be_ended_at_any_step(make):
    engine = make()
    assert isinstance(engine, Stepwise)
    alone = propagate(engine)
    asked = []
    engine.step = lambda: asked.append(None)
    assert propagate(engine).xy.tobytes() == alone.xy.tobytes()
    total = len(asked)
    assert total >= FRAMES
    for last in (1, total // 2, total):
        left = iter([None] * (last - 1))

        def step(left=left):
            if next(left, Enough) is Enough:
                raise Enough

        engine.step = step
        with pytest.raises(Enough):
            propagate(engine)
    engine.step = lambda: None
    assert propagate(engine).xy.tobytes() == alone.xy.tobytes()


def test_what_is_quick_is_not_asked():
    assert not isinstance(Linear(), Stepwise)
