"""The plan of a job that fills a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from app.jobs.params import Computed, PropagationResult, RunResult
from app.tables import Run, Video
from pose.segments import Segment
from pose.track import Track


@dataclass(frozen=True, eq=False)
class SegmentTask:
    """One segment to be computed, with all it depends on.

    Attributes:
        track: Its track.
        segment: Its frames.
        given: The poses that it is computed from.
        input_sha256: Digest of all it depends on: equal digests mean equal poses.
        absent: Labels by which points are absent, where they are not among ``given``.
    """

    track: int
    segment: Segment
    given: Track
    input_sha256: str
    absent: Track | None = None


#: Poses on every frame of a piece.
Compute = Callable[[SegmentTask], Track]


class Work(Protocol):
    """The plan of a job that fills a run; every worker that takes part works it out for itself."""

    @property
    def run(self) -> Run:
        """The run that is filled."""
        ...

    @property
    def video(self) -> Video:
        """The video that it is about."""
        ...

    @property
    def name(self) -> str:
        """The name of what computes it."""
        ...

    @property
    def weights(self) -> str | None:
        """Digest of the weights that it computes with."""
        ...

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    @property
    def computed(self) -> Computed | None:
        """Where and how, for the run's pedigree; None where there is no network."""
        ...

    @property
    def pieces(self) -> Mapping[tuple[int, int], SegmentTask]:
        """The segments in the order in which they are computed, by track and first frame."""
        ...

    def learn(self, result: PropagationResult) -> None:
        """Take over what others found out, as the job's row says it."""
        ...

    def result(self) -> RunResult:
        """The result for the job's row."""
        ...
