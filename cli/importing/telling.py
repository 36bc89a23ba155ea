"""What an import says of itself: which video is which file, and how far it is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cli.dataset_counts import video_line
from cli.importing.numbering import Placed
from formats.dataset import Dataset
from pose.formats.coco_layout import counted

_LINE_SECONDS = 10.0  # where no line can move


def mapping(dataset: Dataset, placed: Sequence[Placed]) -> list[dict[str, Any]]:
    """Which video of the data set is which file, for machines."""
    return [
        {
            "name": dataset.videos[one.source.number].name,
            "kind": one.source.kind,
            "file": None if one.source.file is None else str(one.source.file),
            "told": one.source.media.file or None,
            **one.report,
        }
        for one in placed
    ]


def source_line(about: dict[str, Any], placed: Placed) -> str:
    """A video, what of it is read, and where its pixels come from."""
    source, report = placed.source, placed.report
    pictures = counted(report["pictures"], "labelled picture")
    where = {
        "video": f"is {source.file}",
        "stills": f"becomes a video of its {pictures}, since its file was not found",
        "missing": "is nowhere" + (f"; the project says {source.media.file}" if source.media.file else ""),
        "bare": "is nowhere, and nothing is labelled in it: it is left out",
    }[source.kind]
    if placed.proof is not None:
        proved = f"{report['proved']} of {len(placed.proof.frames)} pictures are the frames that they say"
        moved = "".join(
            f", {_are(count)} {counted(abs(int(by)), 'frame')} {'later' if int(by) > 0 else 'earlier'}"
            for by, count in report["moved"].items()
        )
        unlike = f", {_are(len(report['unlike']))} like no frame near" if report["unlike"] else ""
        where += f"; {proved}{moved}{unlike}"
    if any(placed.shift):
        where += f"; labels were made on a crop and move by {placed.shift[0]}, {placed.shift[1]} pixels"
    return f"{video_line(about)}\n  {where}"


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


class Progressing:
    """A line on standard error that tells what is done; lines now and then where nobody watches one move.

    Args:
        quiet: Say nothing.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._what = ""
        self._said = 0.0
        self._line: Progress | None = None
        if self._console.is_terminal and not quiet:
            columns = TextColumn("{task.description}"), BarColumn(bar_width=20), TimeElapsedColumn()
            self._line = Progress(*columns, console=self._console, transient=True)

    def __enter__(self) -> Self:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __call__(self, what: str, share: float) -> None:
        """Tell what is done, and how much of it, from 0 to 1."""
        if self._quiet:
            return
        if self._line is not None:
            if what != self._what:
                for task in self._line.task_ids:
                    self._line.remove_task(task)
                self._line.add_task(what, total=1.0)
            self._line.update(self._line.task_ids[-1], completed=share)
        elif what != self._what or time.monotonic() - self._said >= _LINE_SECONDS:
            self._said = time.monotonic()
            typer.echo(f"{what}: {share:.0%}" if share else what, err=True)
        self._what = what

    def end(self) -> None:
        """Take the line away."""
        if self._line is not None:
            self._line.stop()
