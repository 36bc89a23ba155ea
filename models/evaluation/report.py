"""The report on an estimator, for people and for programs: JSON, Markdown, and pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.evaluation.charts import loss_picture, report_picture
from models.evaluation.evaluation import Evaluation, defined
from models.evaluation.judged import LabelledPrediction
from models.evaluation.overlays import Frames, worst_frames
from models.evaluation.promotion import GateVerdict
from pose.metrics import FALSE_POSITIVE_SCORE, PCK_THRESHOLDS, FalsePositives, Summary
from pose.skeleton import Skeleton


def write_report(
    folder: Path,
    evaluation: Evaluation,
    judged: Sequence[LabelledPrediction],
    skeleton: Skeleton,
    frames: Frames | None,
    epochs: Sequence[Mapping[str, Any]] = (),
    verdict: GateVerdict | None = None,
) -> None:
    """Write ``report.json``, ``report.md``, ``report.png`` and ``loss.png``.

    Each appears when it is whole, and none before all could be made.

    Args:
        folder: Where; it is made where it is missing.
        evaluation: The figures.
        judged: What they were made from.
        skeleton: The keypoints.
        frames: Gives a frame, ``(H, W, 3)`` uint8 RGB, by the name of a subject and the index of the frame; None for a
            report without pictures of the worst frames.
        epochs: How the training went, see ``models.evaluation.charts.loss_picture``; without any there is no
            ``loss.png``.
        verdict: Of the promotion gate, where it was asked.

    Raises:
        OSError: The files cannot be written.
        VideoError: ``frames`` cannot read a frame.
    """
    sheet = None if frames is None or not evaluation.worst else worst_frames(evaluation, judged, skeleton, frames)
    about = {
        **evaluation.to_json(),
        "verdict": verdict and verdict.to_json(),
        "epochs": [_plain(epoch) for epoch in epochs],
    }
    files = {
        "report.json": (json.dumps(about, indent=2, allow_nan=False) + "\n").encode(),
        "report.md": markdown(evaluation, verdict, loss=bool(epochs)).encode(),
        "report.png": report_picture(evaluation, sheet),
    }
    if epochs:
        files["loss.png"] = loss_picture(epochs)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        unfinished = folder / f"{name}.part"
        try:
            unfinished.write_bytes(content)
            unfinished.replace(folder / name)
        finally:
            unfinished.unlink(missing_ok=True)


def markdown(evaluation: Evaluation, verdict: GateVerdict | None = None, *, loss: bool = False) -> str:
    """The report as a Markdown page.

    Args:
        evaluation: The figures.
        verdict: Of the promotion gate.
        loss: Whether there is a ``loss.png``.
    """
    return "\n".join(_lines(evaluation, verdict, loss)) + "\n"


def _lines(evaluation: Evaluation, verdict: GateVerdict | None, loss: bool) -> Iterator[str]:
    yield f"# Evaluation on {evaluation.frames} poses that were held out\n"
    if verdict is not None:
        yield f"{verdict.reason}\n"
    yield (
        f"{evaluation.overall.points} points labelled by people, of {evaluation.subjects} subjects in "
        f"{evaluation.videos} videos, skeleton `{evaluation.skeleton}`. Errors are in percent of the diagonal of the "
        "labels' box; a point that the estimator lacks has 100.\n"
    )
    yield "![Errors by keypoint, their distribution, and the worst frames](report.png)\n"
    if loss:
        yield "![Loss and validation by epoch](loss.png)\n"
    thresholds = [f"PCK@{threshold:g}" for threshold in PCK_THRESHOLDS]
    yield from _table(
        ["keypoint", "points", "found", "mean error", "median error", *thresholds, "AP (PCKh 0.5)"],
        [
            ["all", *_cells(evaluation.overall), _percent(evaluation.posetrack.mean)],
            *([row.joint, *_cells(evaluation.keypoints[row.joint]), _percent(row.ap)] for row in evaluation.joints),
        ],
    )
    yield "\n## OKS, as COCO has it\n"
    coco = evaluation.coco
    yield from _table(
        ["", "all", ".50", ".75", "medium", "large"],
        [
            ["AP", *map(_percent, (coco.ap, coco.ap50, coco.ap75, coco.ap_medium, coco.ap_large))],
            ["AR", *map(_percent, (coco.ar, coco.ar50, coco.ar75, coco.ar_medium, coco.ar_large))],
        ],
    )
    yield "\n## AP at PCKh 0.5, as PoseTrack has it\n"
    if not evaluation.head_boxes:
        yield "Without head boxes: a tenth of the box diagonal stands in for the head size.\n"
    groups = evaluation.posetrack.groups
    yield from _table([*groups, "Mean"], [[*map(_percent, groups.values()), _percent(evaluation.posetrack.mean)]])
    yield from _absences(evaluation.false_positives)
    yield "\n## Worst frames\n"
    yield from _table(
        ["subject", "frame", "mean error", "farthest off"],
        [[bad.name, str(bad.frame), _percent(bad.error), bad.keypoint] for bad in evaluation.worst],
    )


def _absences(found: FalsePositives) -> Iterator[str]:
    if not found.points:
        return
    yield "\n## Where people said that nothing is there\n"
    yield f"Found all the same, with a score of {FALSE_POSITIVE_SCORE:g} or more:\n"
    yield from _table(
        ["", "absent", "found", "rate"],
        [
            ["subjects", str(found.poses), str(found.poses_found), _percent(found.pose_rate)],
            ["points", str(found.points), str(found.points_found), _percent(found.point_rate)],
        ],
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(map(_cell, row))} |"


def _cell(text: str) -> str:
    """Text that neither ends a row of a table nor a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _cells(summary: Summary | None) -> list[str]:
    if summary is None:
        return ["0", *[""] * (3 + len(PCK_THRESHOLDS))]
    shares = (summary.coverage, summary.mean, summary.median, *(summary.pck[limit] for limit in PCK_THRESHOLDS))
    return [str(summary.points), *map(_percent, shares)]


def _percent(share: float) -> str:
    return "" if defined(share) is None else f"{100 * share:.1f}"


def _plain(value: Any) -> Any:
    """A mapping as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    return defined(value)
