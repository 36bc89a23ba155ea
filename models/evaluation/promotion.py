"""The promotion gate: a new checkpoint replaces the current one only where it is shown to be better.

Both are measured on the same labels of people, which neither learnt from. The gain is the current checkpoint's mean
relative distance (``pose.metrics``) minus the candidate's, over all points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from models.evaluation.baseline import average_poses
from models.evaluation.bootstrap import BLOCK_FRAMES, Blocks, Gains, fewest_blocks, gains, in_blocks
from models.evaluation.judged import LabelledPrediction, check
from models.evaluation.pseudo_labels import OFFSET_TOLERANCE, TrainingFit, farthest_offset

#: Fewest poses of subjects that are held out.
FEWEST_POSES = 10

#: What a keypoint may lose, in shares of the box diagonal, where the whole gains.
KEYPOINT_TOLERANCE = 0.005


@dataclass(frozen=True)
class GateVerdict:
    """The decision of the promotion gate, and its reason.

    Attributes:
        promoted: Whether it is.
        reason: A sentence for people.
        gain: By how much the mean relative distance falls, in shares of the box diagonal; NaN without a label.
        low: Lower end of the gain's confidence interval; NaN where there are too few labels for one.
        high: Upper end.
        frames: Poses that were measured: frames, each as often as it has labelled subjects.
        blocks: Blocks of time that they lie in.
        keypoint: The one that gets clearly worse, the worst of them, or whose pseudo-labels lie to one side; None where
            none does.
    """

    promoted: bool
    reason: str
    gain: float
    low: float
    high: float
    frames: int
    blocks: int
    keypoint: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON knows it: figures that are not defined are None."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(self).items()
        }


def gate(
    candidate: Sequence[LabelledPrediction],
    current: Sequence[LabelledPrediction] | None,
    *,
    seed: int = 0,
    confidence: float = 0.95,
    keypoints: Sequence[str] = (),
    learnt: Sequence[TrainingFit] = (),
) -> GateVerdict:
    """Decide whether a candidate is promoted.

    It is where the whole confidence interval of the gain lies above 0 (see ``models.evaluation.bootstrap``) and no
    keypoint gets clearly worse: by more than ``KEYPOINT_TOLERANCE``, with an interval of its own below 0. The intervals
    of keypoints are not widened for their number: a false alarm costs a training, a spoilt keypoint every later video.
    Nor is it where the pseudo-labels of a keypoint that it learnt from clearly lie to one side: where their mean offset
    has an interval above ``OFFSET_TOLERANCE``, see ``models.evaluation.pseudo_labels``.

    Where there is no current checkpoint, the candidate has to beat ``models.evaluation.baseline.average_poses``.

    Args:
        candidate: Its poses beside people's labels.
        current: The current checkpoint's poses on the same subjects, in any order; None where there is none.
        seed: Of the draws.
        confidence: Of the intervals, two-sided.
        keypoints: Names for the reason; numbers, counted from 0, where there are none.
        learnt: What the candidate learnt from, or part of it.

    Raises:
        ValueError: The two were not measured on the same labels; a subject comes twice; the confidence is not between 0
            and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"a confidence is between 0 and 1, not {confidence}")
    check(candidate)
    rivals = average_poses(candidate) if current is None else _paired(candidate, current)
    blocks = in_blocks(candidate, rivals)
    ours, theirs = blocks.means()
    verdict = GateVerdict(False, "", theirs - ours, math.nan, math.nan, blocks.frames, len(blocks))
    fewest = fewest_blocks(confidence)
    if blocks.frames < FEWEST_POSES or len(blocks) < fewest:
        return replace(
            verdict,
            reason=f"Not promoted: {blocks.frames} held-out poses in {len(blocks)} stretches of {BLOCK_FRAMES} frames "
            f"are too few to tell. It takes {FEWEST_POSES} poses labelled by people, in {fewest} stretches.",
        )
    found = gains(blocks, seed, confidence)
    verdict = replace(verdict, low=found.low, high=found.high)
    figures = _figures(blocks, found, confidence, has_current=current is not None)
    name, loss = _spoilt(found, confidence, keypoints) if current is not None else (None, "")
    verdict = replace(verdict, keypoint=name)
    if not found.low > 0:
        also = f" Above all, {name} gets worse by {loss}." if name else ""
        return replace(verdict, reason=f"Not promoted: {figures} {_shortfall(verdict)}{also}")
    if name:
        allowed = f"a keypoint may lose {_points(KEYPOINT_TOLERANCE)} points"
        return replace(verdict, reason=f"Not promoted: {name} gets worse by {loss}; {allowed}. As a whole, {figures}")
    offset = farthest_offset(learnt, seed=seed, confidence=confidence)
    if offset is not None and offset.low > OFFSET_TOLERANCE:
        name = _named(offset.keypoint, keypoints)
        aside = _with_interval(offset.mean, offset.low, offset.high, confidence)
        sentence = f"the pseudo-labels of {name} that it learnt from lie to one side of what it sees, by {aside}"
        allowed = f"{_points(OFFSET_TOLERANCE)} points are allowed"
        return replace(verdict, keypoint=name, reason=f"Not promoted: {sentence}; {allowed}. As a whole, {figures}")
    return replace(verdict, promoted=True, reason=f"Promoted: {figures}")


def _paired(candidate: Sequence[LabelledPrediction], current: Sequence[LabelledPrediction]) -> list[LabelledPrediction]:
    """The current checkpoint's subjects in the candidate's order."""
    check(current)
    by_name = {one.name: one for one in current}
    if lone := by_name.keys() ^ {one.name for one in candidate}:
        raise ValueError(f"{min(lone)} was measured for one of the two checkpoints only")
    for one in candidate:
        rival = by_name[one.name].truth
        fields = ("frames", "xy", "visibility")
        if not all(np.array_equal(getattr(one.truth, name), getattr(rival, name)) for name in fields):
            raise ValueError(f"{one.name}: the two checkpoints were not measured on the same labels")
    return [by_name[one.name] for one in candidate]


def _spoilt(found: Gains, confidence: float, keypoints: Sequence[str]) -> tuple[str | None, str]:
    """The keypoint that gets clearly worse, and most of those, and by how much; None where none does."""
    clearly = (found.keypoints < -KEYPOINT_TOLERANCE) & (found.keypoint_high < 0)
    if not clearly.any():
        return None, ""
    k = int(np.argmin(np.where(clearly, found.keypoints, np.inf)))
    loss = _with_interval(-found.keypoints[k], -found.keypoint_high[k], -found.keypoint_low[k], confidence)
    return _named(k, keypoints), loss


def _named(keypoint: int, names: Sequence[str]) -> str:
    return names[keypoint] if keypoint < len(names) else f"keypoint {keypoint}"


def _figures(blocks: Blocks, found: Gains, confidence: float, *, has_current: bool) -> str:
    ours, theirs = blocks.means()
    rival = "the current checkpoint's" if has_current else "that of the average pose laid into each subject's box"
    gain = _with_interval(theirs - ours, found.low, found.high, confidence)
    return (
        f"the mean error is {_points(ours)} % of the box diagonal, {rival} {_points(theirs)} %: a gain of {gain} on "
        f"{blocks.frames} held-out poses."
    )


def _shortfall(verdict: GateVerdict) -> str:
    if verdict.high < 0:
        return "It is worse."
    if verdict.gain > 0:
        return "That may be chance."
    return "That is no gain."


def _with_interval(change: float, low: float, high: float, confidence: float) -> str:
    return f"{_points(change)} points ({100 * confidence:g} % interval {_points(low)} to {_points(high)})"


def _points(share: float) -> str:
    return f"{100 * share:.2f}"
