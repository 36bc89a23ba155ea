"""Propagation: labels on a few keyframes in, a pose on every other frame out, segment by segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np

from models.engines.absence import propagate_around
from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.registry import PropagationError, resolve
from pose.frames import FrameSource, RecentFrames, Shot
from pose.segments import Segment, anchors, plan, relevant
from pose.track import Track, blank, join

#: Frames beyond a segment that an engine may look at where no label stops it, and that are searched for a cut.
CONTEXT = 256


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
    cuts: Cuts | None = None,
) -> Iterator[tuple[int, Segment, Track]]:
    """Carry labels to every frame of a video, but not across a cut, see ``propagate_segment``.

    Results come segment by segment and nothing of earlier ones is kept, so memory does not grow with the video. A
    segment's result does not depend on which others are computed, nor on their order.

    Args:
        video: The frames, an open ``pose.video.VideoReader``.
        keyframes: Labels by track id; a keyframe may carry some keypoints only.
        engine: ``auto``, one of ``models.registry.NAMES``, or an engine.
        start: First frame wanted.
        stop: The frame after the last wanted; the end of the video where None.
        segments: The pairs of track id and segment to compute, where not all of ``plan_tracks``.
        cuts: What is known of the video's cuts; more is added to it as it is found.

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
    chosen = resolve(engine) if isinstance(engine, str) else engine
    return _run(chosen, RecentFrames(video), keyframes, wanted, Cuts() if cuts is None else cuts)


def propagate_segment(engine: Engine, video: FrameSource, keyframes: Track, segment: Segment, cuts: Cuts) -> Track:
    """Poses on every frame of a segment, with nothing carried across a cut.

    Each shot is propagated as a video of its own, from the labels on its frames. A keypoint that is labelled on no
    frame of a shot, or absent (see ``models.engines.absence``), is not known: visibility, place, score and radius are
    0. Cuts are looked for outward from the segment, up to the labels around it, or ``CONTEXT`` frames far where there
    is none. So the result depends on the frames and the labels next to the segment in time, as that of an engine does,
    and not on what ``cuts`` knows.

    Args:
        engine: What propagates within shots.
        video: The frames.
        keyframes: The labels of one subject.
        segment: The frames wanted.
        cuts: What is known of the video's cuts; more is added to it as it is found.
    """
    near = relevant(keyframes, segment)
    parts = []
    for start, stop in pairwise(_shot_edges(video, near, segment, cuts)):
        piece = Segment(max(start, segment.start), min(stop, segment.stop))
        labels = near.between(start, stop)
        if len(labels):
            shot = video if (start, stop) == (0, video.num_frames) else Shot(video, start, stop)
            moved = replace(labels, frames=labels.frames - start)
            poses = propagate_around(engine, shot, moved, Segment(piece.start - start, piece.stop - start))
            parts.append(replace(poses, frames=piece.frames))
        else:
            parts.append(blank(piece.frames, keyframes.num_keypoints))
    return join(parts)


def _shot_edges(video: FrameSource, near: Track, segment: Segment, cuts: Cuts) -> list[int]:
    """First frames of the shots that a segment lies in, and the frame after the last one.

    Where no cut was found the video begins or ends.
    """
    rows = anchors(near, np.array([segment.start, segment.stop - 1]))
    labelled = near.visibility.any(axis=0)
    low, high = segment.start - CONTEXT, segment.stop + CONTEXT
    if len(near):
        low = min(int(near.frames[0]), segment.start if (rows.before[0, labelled] >= 0).all() else low)
        high = max(int(near.frames[-1]) + 1, segment.stop if (rows.after[1, labelled] >= 0).all() else high)
    before = cuts.shot_start(video, segment.start, max(low, 0))
    after = cuts.shot_stop(video, segment.stop - 1, min(high, video.num_frames))
    inside = cuts.within(video, segment.start + 1, segment.stop)
    return [0 if before is None else before, *inside, video.num_frames if after is None else after]


def _check(track_id: int, labels: Track, num_frames: int) -> None:
    if not labels.said.any():
        raise PropagationError(f"track {track_id} has no labelled point on any keyframe")
    outside = labels.frames[(labels.frames < 0) | (labels.frames >= num_frames)]
    if len(outside):
        raise PropagationError(
            f"track {track_id} has a keyframe on frame {outside[0]}, but the video has frames 0 to {num_frames - 1}"
        )


def _run(
    engine: Engine, video: FrameSource, keyframes: Mapping[int, Track], wanted: list[tuple[int, Segment]], cuts: Cuts
) -> Iterator[tuple[int, Segment, Track]]:
    for track_id, segment in wanted:
        yield track_id, segment, propagate_segment(engine, video, keyframes[track_id], segment, cuts)
