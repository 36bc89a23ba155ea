"""Propagation: labels on a few keyframes in, a pose on every other frame out, segment by segment."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from models.engines.engine import Engine, FrameSource
from models.engines.flow import Flow
from models.engines.linear import Linear
from pose.segments import Segment, plan
from pose.track import Track

ENGINES: dict[str, Engine] = {"flow": Flow(), "linear": Linear()}

#: Decoded frames kept for the next segment, in bytes.
MAX_CACHED_BYTES = 128 * 2**20


class PropagationError(ValueError):
    """A propagation that cannot be done as asked."""


def resolve(name: str) -> Engine:
    """The engine of a name; ``auto`` is the best there is.

    Raises:
        PropagationError: There is no such engine.
    """
    if name == "auto":
        return ENGINES["flow"]
    if name not in ENGINES:
        raise PropagationError(f"there is no engine {name!r}; there are auto, {', '.join(ENGINES)}")
    return ENGINES[name]


def plan_tracks(keyframes: Mapping[int, Track], start: int, stop: int) -> list[tuple[int, Segment]]:
    """The segments of all tracks, ascending by first frame, then track id: tracks advance through the video together.

    Args:
        keyframes: Labels by track id.
        start: First frame.
        stop: The frame after the last.
    """
    return sorted(
        ((track_id, segment) for track_id, labels in keyframes.items() for segment in plan(labels, start, stop)),
        key=lambda place: (place[1].start, place[0]),
    )


def propagate(
    video: FrameSource,
    keyframes: Mapping[int, Track],
    *,
    engine: str | Engine = "auto",
    start: int = 0,
    stop: int | None = None,
    segments: Iterable[tuple[int, Segment]] | None = None,
) -> Iterator[tuple[int, Segment, Track]]:
    """Carry labels to every frame of a video.

    Results come segment by segment and nothing of earlier ones is kept, so memory does not grow with the video. A
    segment's result does not depend on which others are computed, nor on their order.

    Args:
        video: The frames, an open ``pose.video.Video``.
        keyframes: Labels by track id; a keyframe may carry some keypoints only.
        engine: ``auto``, the name of one of ``ENGINES``, or an engine.
        start: First frame wanted.
        stop: The frame after the last wanted; the end of the video where None.
        segments: The pairs of track id and segment to compute, where not all of ``plan_tracks``.

    Yields:
        Track id, segment, and the poses on each of its frames.

    Raises:
        PropagationError: Before anything is computed: no such engine, a keyframe outside the video, a track without a
            label, frames that the video does not have.
    """
    stop = video.num_frames if stop is None else stop
    if not 0 <= start <= stop <= video.num_frames:
        raise PropagationError(f"frames {start} to {stop} are not in the video, which has {video.num_frames} frames")
    for track_id, labels in keyframes.items():
        _check(track_id, labels, video.num_frames)
    wanted = plan_tracks(keyframes, start, stop) if segments is None else list(segments)
    for track_id, segment in wanted:
        if track_id not in keyframes:
            raise PropagationError(f"there are no keyframes of track {track_id}")
        if not 0 <= segment.start < segment.stop <= video.num_frames:
            raise PropagationError(f"frames {segment.start} to {segment.stop} of track {track_id} are not in the video")
    return _run(resolve(engine) if isinstance(engine, str) else engine, RecentFrames(video), keyframes, wanted)


def _check(track_id: int, labels: Track, num_frames: int) -> None:
    if not labels.visibility.any():
        raise PropagationError(f"track {track_id} has no labelled point on any keyframe")
    outside = labels.frames[(labels.frames < 0) | (labels.frames >= num_frames)]
    if len(outside):
        raise PropagationError(
            f"track {track_id} has a keyframe on frame {outside[0]}, but the video has frames 0 to {num_frames - 1}"
        )


def _run(
    engine: Engine, video: FrameSource, keyframes: Mapping[int, Track], wanted: list[tuple[int, Segment]]
) -> Iterator[tuple[int, Segment, Track]]:
    for track_id, segment in wanted:
        yield track_id, segment, engine.propagate(video, keyframes[track_id], segment)


class RecentFrames:
    """A video that remembers the frames it gave last.

    Neighbouring segments share a keyframe, and tracks share all frames: without this the decoder would go back to the
    keyframe of the stream before each segment.

    Args:
        video: The frames.
        max_bytes: Memory for frames; two are kept in any case.
    """

    def __init__(self, video: FrameSource, max_bytes: int = MAX_CACHED_BYTES) -> None:
        self._video = video
        self._room = max_bytes
        self._frames: OrderedDict[tuple[bool, int], np.ndarray] = OrderedDict()

    @property
    def num_frames(self) -> int:
        """``F``."""
        return self._video.num_frames

    @property
    def width(self) -> int:
        """Pixels of the displayed frame."""
        return self._video.width

    @property
    def height(self) -> int:
        """Pixels of the displayed frame."""
        return self._video.height

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``; frames are shared and must not be written to."""
        stop = self.num_frames if stop is None else stop
        index = start
        while index < stop:
            if (gray, index) in self._frames:
                self._frames.move_to_end((gray, index))
                yield self._frames[gray, index]
                index += 1
                continue
            missing = next((later for later in range(index, stop) if (gray, later) in self._frames), stop)
            for frame in self._video.frames(index, missing, gray=gray):
                self._remember((gray, index), frame)
                yield frame
                index += 1

    def _remember(self, key: tuple[bool, int], frame: np.ndarray) -> None:
        self._frames[key] = frame
        self._room -= frame.nbytes
        while self._room < 0 and len(self._frames) > 2:
            _, oldest = self._frames.popitem(last=False)
            self._room += oldest.nbytes
