"""Progress of the demo: its steps by name, a line that moves on a terminal, and how long is left in all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# Where nobody watches a line move, one is printed now and then.
_LINE_SECONDS = 10.0
_TOLD_FROM = 0.1  # share of a job after which its own pace says more than what was expected
_SLOWEST, _FASTEST = 10.0, 0.3


@dataclass(frozen=True)
class Step:
    """A step, by what it is called, and the seconds that it takes on two quiet cores."""

    what: str
    seconds: float


#: Hears how a job is doing: the job as the API shows it.
Show = Callable[[Mapping[str, Any]], None]


class Steps:
    """The steps in their order; each is begun by ``next``.

    Args:
        console: Where to.
        steps: All of them.
        clock: Gives seconds.
    """

    def __init__(self, console: Console, steps: Sequence[Step], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._steps = list(steps)
        self._clock = clock
        self._number = 0
        self._taken = 0.0
        self._began = clock()
        self._current_left: float | None = None

    @contextmanager
    def next(self) -> Iterator[Show]:
        """Do the next step in a block, which may say how its job is doing."""
        step = self._steps[self._number]
        self._began, self._current_left = self._clock(), None
        place = f"step {self._number + 1} of {len(self._steps)}"
        with self._shown(step, place) as show:
            yield show
        ended = self._clock()
        taken = ended - self._began
        self._taken += taken
        self._number += 1
        self._began, self._current_left = ended, None
        self._console.print(f"  ✓ {step.what} [dim]({taken:.1f} s)[/dim]")

    def left(self) -> float:
        """Seconds until all steps are done, as far as one can tell from those that are."""
        expected = sum(step.seconds for step in self._steps[: self._number])
        pace = min(max(self._taken / expected, _FASTEST), _SLOWEST) if expected else 1.0
        if self._number == len(self._steps):
            return 0.0
        current = self._current_left
        if current is None:
            current = self._steps[self._number].seconds * pace - (self._clock() - self._began)
        later = sum(step.seconds for step in self._steps[self._number + 1 :])
        return max(current, 0.0) + later * pace

    def hear(self, job: Mapping[str, Any]) -> None:
        """Learn from the current step's job how long it will take."""
        told, progress = job.get("remaining_seconds"), float(job["progress"])
        if told is not None:
            self._current_left = float(told)
        elif progress >= _TOLD_FROM:
            self._current_left = (self._clock() - self._began) * (1 - progress) / progress

    @contextmanager
    def _shown(self, step: Step, place: str) -> Iterator[Show]:
        if self._console.is_terminal:
            with self._line() as line:
                task = line.add_task(step.what, total=1.0, place=place, left=duration(self.left()))

                def move(job: Mapping[str, Any]) -> None:
                    self.hear(job)
                    what = f"{step.what}: {job['stage']}"
                    line.update(task, completed=job["progress"], description=what, left=duration(self.left()))

                yield move
            return
        self._console.print(f"{place}: {step.what} (about {duration(self.left())} left in all)")
        said = self._clock()

        def say(job: Mapping[str, Any]) -> None:
            nonlocal said
            self.hear(job)
            if self._clock() - said >= _LINE_SECONDS:
                said = self._clock()
                share = f"{float(job['progress']):.0%}"
                self._console.print(f"    {job['stage']}: {share}, about {duration(self.left())} left in all")

        yield say

    def _line(self) -> Progress:
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[place]}: {task.description}"),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("about {task.fields[left]} left in all"),
            console=self._console,
            transient=True,
        )


def duration(seconds: float) -> str:
    """Seconds as people say them: ``35 s``, ``1 min 20 s``."""
    rounded = max(5, round(seconds / 5) * 5)
    minutes, rest = divmod(rounded, 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
