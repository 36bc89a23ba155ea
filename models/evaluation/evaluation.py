"""All figures about an estimator's poses, measured once for the service, the report and benchmarks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from models.evaluation.bootstrap import BLOCK_FRAMES
from models.evaluation.judged import LabelledPrediction, check
from pose.coco_ap import CocoAp, coco_ap
from pose.metrics import (
    FALSE_POSITIVE_SCORE,
    FalsePositives,
    PointErrors,
    Summary,
    cumulative,
    false_positives,
    summarise,
)
from pose.posetrack_ap import STAND_IN_SHARE, Detections, JointRow, MeanAp, join, joint_rows, judge, mean_ap, stand_in
from pose.skeleton import Skeleton
from pose.track import Track

#: Thresholds of the error distribution, in shares of the box diagonal.
LIMITS = np.linspace(0, 0.25, 51)

#: Frames that are named as the worst.
WORST = 12


@dataclass(frozen=True)
class BadFrame:
    """A frame on which a subject was found badly.

    Attributes:
        name: The subject, as in ``LabelledPrediction``.
        frame: Its index.
        error: Mean relative distance of the points known there.
        keypoint: The one that is farthest off.
    """

    name: str
    frame: int
    error: float
    keypoint: str


@dataclass(frozen=True, eq=False)
class Evaluation:
    """An estimator in figures; ``docs/evaluation.md`` says what each means.

    Attributes:
        skeleton: Name of the skeleton.
        subjects: How many subjects were measured.
        videos: In how many videos.
        frames: Poses that were measured: frames, each as often as it has labelled subjects.
        overall: Relative distances of all points.
        keypoints: Those of each keypoint by name; None for one that is not labelled.
        limits: ``(L,)`` thresholds of the error distribution.
        distribution: ``(L,)`` share of points within each.
        coco: OKS AP and AR.
        head_boxes: Whether PoseTrack's figures are by true head boxes; otherwise by ``pose.posetrack_ap.stand_in``, and
            they do not compare with PoseTrack's.
        posetrack: Mean average precision by groups of joints, at PCKh 0.5.
        joints: The same for each keypoint.
        worst: The worst frames, the very worst first; of a subject, none within ``BLOCK_FRAMES`` of another.
        false_positives: What was found where people said that a subject or a point is absent.
    """

    skeleton: str
    subjects: int
    videos: int
    frames: int
    overall: Summary
    keypoints: Mapping[str, Summary | None]
    limits: np.ndarray
    distribution: np.ndarray
    coco: CocoAp
    head_boxes: bool
    posetrack: MeanAp
    joints: tuple[JointRow, ...]
    worst: tuple[BadFrame, ...]
    false_positives: FalsePositives

    def to_json(self) -> dict[str, Any]:
        """As JSON knows it: figures that are not defined are None."""
        return {
            "skeleton": self.skeleton,
            "subjects": self.subjects,
            "videos": self.videos,
            "frames": self.frames,
            "overall": _summary(self.overall),
            "keypoints": {name: summary and _summary(summary) for name, summary in self.keypoints.items()},
            "distribution": {"limits": self.limits.round(6).tolist(), "shares": self.distribution.tolist()},
            "coco": {field.name: defined(getattr(self.coco, field.name)) for field in fields(self.coco)},
            "posetrack": {
                "head_size": "head boxes" if self.head_boxes else f"{STAND_IN_SHARE} of the box diagonal",
                "mean": defined(self.posetrack.mean),
                "groups": {name: defined(area) for name, area in self.posetrack.groups.items()},
                "joints": [{name: defined(value) for name, value in asdict(row).items()} for row in self.joints],
            },
            "worst": [asdict(frame) for frame in self.worst],
            "false_positives": {
                "score": FALSE_POSITIVE_SCORE,
                **asdict(self.false_positives),
                "pose_rate": defined(self.false_positives.pose_rate),
                "point_rate": defined(self.false_positives.point_rate),
            },
        }


def evaluate(judged: Sequence[LabelledPrediction], skeleton: Skeleton) -> Evaluation:
    """Measure an estimator's poses.

    Args:
        judged: Subjects with their labels and the estimator's poses.
        skeleton: Their keypoints.

    Raises:
        ValueError: There is no labelled point to measure, a subject has another skeleton or comes twice.
    """
    check(judged)
    if judged and judged[0].truth.num_keypoints != skeleton.size:
        raise ValueError(f"{judged[0].truth.num_keypoints} keypoints are not those of skeleton {skeleton.name!r}")
    parts = [one.errors() for one in judged]
    frames = sum(len(part.frames) for part in parts)
    if not frames:
        raise ValueError("there is no frame to measure: none of those held out has two labelled points")
    errors, known, present = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("errors", "known", "present")
    )
    by_keypoint = {
        name: summarise(errors[known[:, k], k], present[known[:, k], k]) if known[:, k].any() else None
        for k, name in enumerate(skeleton.keypoints)
    }
    by_video: dict[str, list[LabelledPrediction]] = defaultdict(list)
    for one in judged:
        by_video[one.video].append(one)
    detections = join([_detections(video) for video in by_video.values()])
    return Evaluation(
        skeleton=skeleton.name,
        subjects=len(judged),
        videos=len(by_video),
        frames=frames,
        overall=summarise(errors[known], present[known]),
        keypoints=by_keypoint,
        limits=LIMITS,
        distribution=cumulative(errors[known], present[known], LIMITS),
        coco=coco_ap(map(_sides, by_video.values()), skeleton.oks_sigmas()),
        head_boxes=all(one.head_size is not None for one in judged),
        posetrack=mean_ap(detections, skeleton.keypoints),
        joints=joint_rows(detections, skeleton.keypoints),
        worst=_worst(judged, parts, skeleton),
        false_positives=false_positives(
            {number: one.truth for number, one in enumerate(judged)},
            {number: one.guess for number, one in enumerate(judged)},
        ),
    )


def defined(figure: Any) -> Any:
    """A figure, or None for one that is not a number."""
    return None if isinstance(figure, float) and not math.isfinite(figure) else figure


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "points": summary.points,
        "coverage": summary.coverage,
        "mean": summary.mean,
        "median": summary.median,
        "pck": {f"{threshold:g}": share for threshold, share in summary.pck.items()},
    }


def _sides(video: Sequence[LabelledPrediction]) -> tuple[dict[int, Track], dict[int, Track]]:
    """Truth and guess of a video's subjects; where a subject has no place its guess is neither right nor wrong.

    Where it is absent the guess is wrong, and counted apart.
    """
    placed = [one.truth.select(_placed(one)) for one in video]
    return (
        dict(enumerate(placed)),
        {
            number: one.guess.select(np.isin(one.guess.frames, placed[number].frames))
            for number, one in enumerate(video)
        },
    )


def _placed(one: LabelledPrediction) -> np.ndarray:
    placed: np.ndarray = np.any(one.truth.visibility > 0, axis=1)
    return placed


def _detections(video: Sequence[LabelledPrediction]) -> Detections:
    truth, guess = _sides(video)
    size = {number: stand_in(track) for number, track in truth.items()}
    for number, one in enumerate(video):
        if one.head_size is not None:
            head_size = one.head_size[_placed(one)]
            size[number] = np.where(head_size > 0, head_size, size[number])
    return judge(truth, guess, size)


def _worst(
    judged: Sequence[LabelledPrediction], parts: Sequence[PointErrors], skeleton: Skeleton
) -> tuple[BadFrame, ...]:
    found = []
    for one, part in zip(judged, parts, strict=True):
        errors = np.where(part.known, part.errors, 0.0)
        mean = errors.sum(axis=1) / part.known.sum(axis=1)
        for row in _apart(part.frames, np.argsort(-mean, kind="stable")):
            keypoint = skeleton.keypoints[int(errors[row].argmax())]
            found.append(BadFrame(one.name, int(part.frames[row]), float(mean[row]), keypoint))
    return tuple(sorted(found, key=lambda frame: -frame.error)[:WORST])


def _apart(frames: np.ndarray, order: np.ndarray) -> list[int]:
    """The first rows of an order, without those a moment away from an earlier one: they show the same once more."""
    rows: list[int] = []
    for row in order.tolist():
        if len(rows) == WORST:
            break
        if all(abs(int(frames[row] - frames[other])) >= BLOCK_FRAMES for other in rows):
            rows.append(row)
    return rows
