"""Files for readers who take only a part of a project, of ``posetween convert`` and ``posetween export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import UsageError
from formats.one_way import ONE_WAY
from pose.formats.coco_layout import counted

Truth = Annotated[
    Path | None,
    typer.Option(
        "--truth", help="COCO file whose images coco-results are detections on; for that alone.", show_default=False
    ),
]


def check_truth(to: str, truth: Path | None) -> None:
    """See that a truth file is named where the kind of file has one, and nowhere else.

    Raises:
        UsageError: It is not.
    """
    wanted = to in ONE_WAY and ONE_WAY[to].truth
    if wanted != (truth is not None):
        needs = f"{to} needs --truth, the COCO file that it is to be measured against"
        raise UsageError(needs if wanted else f"--truth is for coco-results alone, not for {to}")


def left_out_line(count: int) -> str:
    """How many poses no detection was written of."""
    return f"left out: {counted(count, 'pose')} on no image of the truth, or without a point of it"
