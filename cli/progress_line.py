"""A line that shows how far a command is."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

_LINE_SECONDS = 10.0  # where no line can move


class ProgressLine:
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
