"""Estimating poses: an estimator goes over a video that nobody has labelled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch

from models.compute.devices import choose
from models.engines.absence import faded, masked
from models.engines.confidence import score_of
from models.estimators.checkpoints import Loaded
from models.estimators.estimator import Estimator, Features
from models.estimators.reliability import presence, radius90
from models.estimators.search import search
from models.estimators.targets import places
from models.estimators.views import InputView, boxes_on, view_of
from pose import boxes
from pose.frames import FrameSource, OnStep, no_step
from pose.segments import Segment, plan, vacant
from pose.track import Track, blank, join

_LONGEST = 32  # frames that are seen through one view
_GROWN = 1.3  # times the area of a box that holds the boxes of all of these
_EVERY = 16  # frames, between which a subject that nobody marked is not looked for anew

_NO_LABELS: Mapping[int, Track] = MappingProxyType({})


class EstimateError(ValueError):
    """An estimate that cannot be made as asked."""


@dataclass(frozen=True, eq=False)
class EstimatedPoses:
    """Keypoints that an estimator found on some frames.

    Attributes:
        xy: ``(F, K, 2)`` frame pixels.
        height: ``(F, K)`` of the heat maps there, 0 to 1.
    """

    xy: np.ndarray
    height: np.ndarray


def estimate(
    video: FrameSource,
    loaded: Loaded,
    tracks: Mapping[int, Track] | None = None,
    *,
    labels: Mapping[int, Track] = _NO_LABELS,
    start: int = 0,
    stop: int | None = None,
    batch: int = 16,
    device: str = "auto",
    precision: str = "auto",
    step: OnStep = no_step,
) -> Iterator[tuple[int, Segment, Track]]:
    """Find poses on every frame, window by window; nothing of earlier windows is kept.

    Args:
        video: The frames.
        loaded: The estimator.
        tracks: Poses of the subjects on any frames, from which their boxes come; between these frames boxes are
            interpolated. Where ``None``, one subject, track 1, is looked for on the whole frame.
        labels: People's labels by track id, as far as they say that points are absent: there is no pose there, as in
            propagation, see ``models.engines.absence``.
        start: First frame wanted.
        stop: The frame after the last wanted; the end of the video where ``None``.
        batch: Clips that are computed at a time.
        device: Where the network runs, see ``models.compute.devices.choose``.
        precision: In which precision it computes there.
        step: Called several times a second; what it raises ends this.

    Yields:
        Track id, window, and the poses on each of its frames.

    Raises:
        EstimateError: Frames that the video does not have, a track without a pose that people did not say is absent
            throughout, or no such device.
    """
    stop = video.num_frames if stop is None else stop
    if not 0 <= start <= stop <= video.num_frames:
        raise EstimateError(f"frames {start} to {stop} are not in the video, which has {video.num_frames} frames")
    for track_id, track in (tracks or {}).items():
        if not (track.visibility > 0).any() and _stretches(labels.get(track_id), Segment(start, stop)):
            raise EstimateError(f"track {track_id} has no pose that tells where the subject is")
    try:
        compute = choose(device, precision)
    except ValueError as error:
        raise EstimateError(str(error)) from error
    estimator = loaded.estimator.to(compute.device)
    reliability, there = (loaded.recipe.get(name, ()) for name in ("reliability", "presence"))
    for window in plan(Track.empty(loaded.skeleton.size), start, stop):
        for track_id in sorted(tracks) if tracks is not None else [1]:
            said, parts = labels.get(track_id), [blank(window.frames[:0], loaded.skeleton.size)]
            for stretch in _stretches(said, window):
                with compute.autocast():
                    if tracks is not None:
                        around = boxes_on(tracks[track_id], stretch.frames)
                    else:
                        around = _looked_for(video, estimator, stretch, step)
                    found = estimate_frames(video, estimator, stretch, around, batch, step)
                track = _track(stretch, found, around, reliability)
                parts.append(faded(track, presence(there, found.height)))
            poses = join(parts).over(blank(window.frames, loaded.skeleton.size))
            yield track_id, window, poses if said is None else masked(poses, said)


def _stretches(labels: Track | None, window: Segment) -> list[Segment]:
    """The frames of a window on which a subject may have a pose."""
    if labels is None or not labels.absent.any():
        return [window]
    frames = window.frames[~vacant(labels, window.frames).all(axis=1)]
    parts = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    return [Segment(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]


def _looked_for(video: FrameSource, estimator: Estimator, window: Segment, step: OnStep) -> np.ndarray:
    marks, found = np.unique(np.append(np.arange(window.start, window.stop, _EVERY), window.stop - 1)), []
    last = None
    for mark in marks.tolist():
        step()
        (image,) = video.frames(mark, mark + 1)
        last = search(estimator, image, last)
        found.append(last)
    box = np.stack(found)
    return np.stack([np.interp(window.frames, marks, box[:, side]) for side in range(4)], axis=-1)


@torch.inference_mode()
def estimate_frames(
    video: FrameSource, estimator: Estimator, window: Segment, around: np.ndarray, batch: int, step: OnStep
) -> EstimatedPoses:
    """Estimate the keypoints on the frames of a window.

    Args:
        video: The frames.
        estimator: On the device where it is to compute, in the precision of the context.
        window: The frames wanted.
        around: ``(F, 4)`` boxes of the subject.
        batch: Clips that are computed at a time.
        step: Called several times a second.
    """
    xy, height = [], []
    for span, view in _views(around, estimator):
        step()
        frames = window.start + span
        low, high = (int(end + estimator.config.deltas[side]) for end, side in ((frames[0], 0), (frames[-1], -1)))
        low, high = max(0, low), min(video.num_frames - 1, high)
        cut = np.stack([view.cut(image) for image in video.frames(low, high + 1)])
        found, peak = _related(estimator, cut, frames - low, batch)
        xy.append(view.to_frame(found))
        height.append(peak)
    return EstimatedPoses(np.concatenate(xy), np.concatenate(height))


def _related(
    estimator: Estimator, images: np.ndarray, centres: np.ndarray, batch: int
) -> tuple[np.ndarray, np.ndarray]:
    """Input pixels ``(F, K, 2)`` and heights on the frames ``centres`` of images; each image is encoded once."""
    device = next(estimator.parameters()).device
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    parts = [estimator.encode(pixels[at : at + batch].to(device).float()) for at in range(0, len(pixels), batch)]
    features = Features.joined(parts)
    rows = centres[:, None] + np.asarray(estimator.config.deltas)
    # Beyond the ends of the video the centre frame takes the place of others, as in training.
    rows = np.where((rows >= 0) & (rows < len(images)), rows, centres[:, None])
    found, peaks = [], []
    for at in range(0, len(rows), batch):
        clips = torch.from_numpy(rows[at : at + batch]).to(device)
        xy, peak = places(estimator.relate(features, clips).heatmaps)
        found.append(xy.double().cpu().numpy())
        peaks.append(peak.float().cpu().numpy())
    return np.concatenate(found), np.concatenate(peaks)


def _views(around: np.ndarray, estimator: Estimator) -> Iterator[tuple[np.ndarray, InputView]]:
    """Spans of frames that one view holds the subject on, so that what it shows need be encoded only once."""
    begin = 0
    for index in range(1, len(around) + 1):
        if index < len(around):
            union = boxes.union(around[begin : index + 1])
            area = np.median(around[begin : index + 1, 2:].prod(axis=1))
            if index - begin < _LONGEST and union[2:].prod() <= _GROWN * area:
                continue
        box = boxes.union(around[begin:index])
        yield np.arange(begin, index), view_of(box, estimator.config.height, estimator.config.width)
        begin = index


def _track(window: Segment, found: EstimatedPoses, around: np.ndarray, table: Sequence[Sequence[float]]) -> Track:
    size = np.linalg.norm(around[:, 2:], axis=-1)[:, None]
    radius = radius90(table, found.height) * size
    return Track(
        frames=window.frames,
        xy=found.xy.astype(np.float32),
        visibility=np.full(found.height.shape, 2, np.uint8),
        score=score_of(radius, size).astype(np.float32),
        radius90=radius.astype(np.float32),
    )
