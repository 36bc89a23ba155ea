"""The protocol of propagation engines."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pose.frames import FrameSource, OnStep
from pose.segments import Segment
from pose.track import Track


class Engine(Protocol):
    """Carries one subject's labels to the other frames.

    Attributes:
        name: What a user calls it.
        version: Part of what identifies a stored result: it changes when the engine's results change.
    """

    name: str
    version: str

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
        """Poses on every frame of a segment.

        Labelled points come back as they are, with score 1 and radius 0. A keypoint that is labelled anywhere in
        ``keyframes`` is known on every frame, one that is labelled nowhere on none. The result depends on nothing but
        the frames and the labels next to the segment in time (each keypoint's own, see ``pose.segments.anchors``), so
        segments may be computed alone and in any order.

        Args:
            video: The frames.
            keyframes: All labels of the subject; a keyframe may carry some of its keypoints only.
            segment: The frames wanted.
        """
        ...


@runtime_checkable
class Stepwise(Protocol):
    """An engine that computes long without reading a frame, and can be ended in between.

    Attributes:
        step: Called in between, from several threads; who propagates may set it.
    """

    step: OnStep
