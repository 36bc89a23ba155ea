"""The charts of a report, drawn without a display and without matplotlib's global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from models.evaluation.evaluation import Evaluation
from pose.metrics import PCK_THRESHOLDS

#: Keypoints that have room; of a skeleton with more, the worst are shown.
MOST_BARS = 40

_WIDTH = 12.0  # inches
_DPI = 100
_BLUE, _ORANGE, _GREEN, _INK = "#0072b2", "#e69f00", "#009e73", "#28282c"
_LINES = ("#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")


def report_picture(evaluation: Evaluation, sheet: np.ndarray | None) -> bytes:
    """Errors by keypoint, the distribution of errors and, where there are any, the worst frames, as a PNG file.

    Args:
        evaluation: The figures.
        sheet: ``(H, W, 3)`` uint8 RGB, see ``models.evaluation.overlays.worst_frames``.
    """
    bars = min(MOST_BARS, sum(summary is not None for summary in evaluation.keypoints.values()))
    top = max(4.0, 1.2 + 0.26 * bars)
    tall = 0.0 if sheet is None else 0.4 + sheet.shape[0] / _DPI
    figure = Figure(figsize=(_WIDTH, top + tall), dpi=_DPI, layout="constrained", facecolor="white")
    if sheet is None:
        left, right = figure.subplots(1, 2)
    else:
        grid = figure.add_gridspec(2, 1, height_ratios=(top, tall))
        left, right = figure.add_subfigure(grid[0]).subplots(1, 2)
        picture = figure.add_subfigure(grid[1]).subplots()
        picture.imshow(sheet, interpolation="antialiased")
        picture.set_axis_off()
        picture.set_title("Worst frames: labels blue and filled, estimates orange and hollow", fontsize=11)
    _bars(left, evaluation)
    _distribution(right, evaluation)
    return _png(figure)


def loss_picture(epochs: Sequence[Mapping[str, Any]]) -> bytes:
    """Loss and validation by epoch, as a PNG file.

    Args:
        epochs: One or more, each with ``index``, ``loss``, its parts ``losses`` by name, ``validation`` (``error`` and
            ``pck@0.1``, where there was one) and ``best``.
    """
    figure = Figure(figsize=(_WIDTH, 4.2), dpi=_DPI, layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    index = [int(epoch["index"]) for epoch in epochs]
    left.plot(index, [float(epoch["loss"]) for epoch in epochs], color=_INK, linewidth=2, marker=".", label="loss")
    parts = sorted({name for epoch in epochs for name in epoch.get("losses", {})})
    for number, name in enumerate(parts):
        values = [float(epoch.get("losses", {}).get(name, np.nan)) for epoch in epochs]
        left.plot(index, values, color=_LINES[number % len(_LINES)], marker=".", label=name)
    if all(float(epoch["loss"]) > 0 for epoch in epochs):
        left.set_yscale("log")
    _frame(left, "Training", "epoch", "loss")
    left.legend(frameon=False, fontsize=9)
    error = _validation(epochs, "error")
    right.plot(index, error, color=_BLUE, linewidth=2, marker=".", label="mean error (% of the box diagonal)")
    right.plot(index, _validation(epochs, "pck@0.1"), color=_GREEN, marker=".", label="PCK@0.1 (%)")
    best = [number for number, epoch in enumerate(epochs) if epoch.get("best")]
    if best:
        right.plot(index[best[-1]], error[best[-1]], "o", color=_ORANGE, markersize=9, label="best", zorder=3)
    _frame(right, "Validation", "epoch", "%")
    right.set_ylim(bottom=0)
    right.legend(frameon=False, fontsize=9)
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return _png(figure)


def _bars(axes: Axes, evaluation: Evaluation) -> None:
    rows = [(name, summary) for name, summary in evaluation.keypoints.items() if summary is not None]
    title = "Error by keypoint"
    if len(rows) > MOST_BARS:
        worst = {name for name, _ in sorted(rows, key=lambda row: -row[1].mean)[:MOST_BARS]}
        title = f"Error of the {MOST_BARS} worst of {len(rows)} keypoints"
        rows = [row for row in rows if row[0] in worst]
    place = np.arange(len(rows))
    axes.barh(place, [100 * summary.mean for _, summary in rows], color=_BLUE, height=0.7, label="mean")
    medians = [100 * summary.median for _, summary in rows]
    axes.plot(medians, place, "|", color=_ORANGE, markersize=12, markeredgewidth=3, label="median")
    axes.set_yticks(place, [name for name, _ in rows], fontsize=9, parse_math=False)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    _frame(axes, title, "% of the box diagonal", "")
    axes.legend(frameon=False, fontsize=9, loc="best")


def _distribution(axes: Axes, evaluation: Evaluation) -> None:
    axes.plot(100 * evaluation.limits, 100 * evaluation.distribution, color=_BLUE, linewidth=2)
    for threshold in PCK_THRESHOLDS:
        share = 100 * evaluation.overall.pck[threshold]
        axes.plot(100 * threshold, share, "o", color=_ORANGE, zorder=3)
        axes.annotate(
            f"PCK@{threshold:g}: {share:.1f} %",
            (100 * threshold, share),
            xytext=(6, -14),
            textcoords="offset points",
            fontsize=9,
            color=_INK,
        )
    axes.set_xlim(0, 100 * float(evaluation.limits[-1]))
    axes.set_ylim(0, 102)
    _frame(axes, "Points within an error", "% of the box diagonal", "% of the points")


def _frame(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _validation(epochs: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    return [100 * float(epoch.get("validation", {}).get(name, np.nan)) for epoch in epochs]


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    # Without the version of what drew it, equal figures are equal bytes.
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
