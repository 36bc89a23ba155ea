"""How far a job that fills a run is said to be, and how long it will take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from worker.kinds.fill import Progress


@dataclass
class Report:
    stage: str = "fitting to the video"
    progress: float = 0.0
    elapsed: float = 0.0
    remaining: float | None = None


class Said:
    """Stands where a job's context stands; segments are counted by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open, self.now, self.said = 4, 1000.0, []
        monkeypatch.setattr("worker.kinds.fill.segments.unfinished", lambda session, job: self.open)
        monkeypatch.setattr("worker.kinds.fill.time.monotonic", lambda: self.now)
        self.held = self.database = self

    job_id = 1

    def session(self, **_: object) -> Said:
        return self

    def __enter__(self) -> Said:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def step(self, progress: float, stage: str, remaining: float | None = None) -> None:
        self.said.append((round(progress, 3), stage, remaining))


def test_what_comes_first_takes_its_share_and_the_segments_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    said, report = Said(monkeypatch), Report()
    progress = Progress(said, 4, "propagating")
    with progress.first(lambda: report, share=0.8):
        progress.step()
        report.progress, report.elapsed, report.remaining = 0.5, 20.0, 20.0
        progress.step()
    progress.step()
    said.open, said.now = 3, said.now + 5
    progress.step()
    said.open, said.now = 0, said.now + 15
    progress.step()
    assert said.said == [
        (0.0, "fitting to the video", None),
        (0.4, "fitting to the video", pytest.approx(30.0)),
        (0.8, "propagating", None),
        (0.85, "propagating", pytest.approx(15.0)),
        (1.0, "propagating", 0.0),
    ]
