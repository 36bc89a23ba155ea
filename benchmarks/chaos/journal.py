"""What clients were told: the promises that the auditor holds the service to."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class WrittenLabel:
    """A label whose write was acknowledged."""

    video_id: int
    revision: int
    frame_index: int
    track_number: int
    keypoints: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Uploaded:
    """A video whose last byte was acknowledged."""

    video_id: int
    sha256: str
    size: int


@dataclass(frozen=True)
class Erased:
    """A video that the service says is erased, and what was known of it."""

    video_id: int
    sha256: str
    jobs: tuple[int, ...]
    exports: tuple[int, ...]


@dataclass(frozen=True)
class SaidAbsent:
    """An acknowledged label of what is not here: a whole subject, or its second keypoint."""

    video_id: int
    revision: int
    frame_index: int
    track_number: int
    whole: bool


@dataclass(frozen=True)
class Mended:
    """An act on a video's tracks that was taken back.

    Attributes:
        video_id: The video.
        act: What was done.
        revisions: Those that were acknowledged, the act's and the undo's.
        before: Digest of an export before the act; None where no export was made.
        after: The same after the undo.
        names: The tracks' names after the undo.
    """

    video_id: int
    act: str
    revisions: tuple[int, ...]
    before: str | None
    after: str | None
    names: dict[int, str]


@dataclass
class Journal:
    """Kept by the clients, in threads that only ever append.

    Attributes:
        labels: Acknowledged label writes.
        label_times: When each was, on the monotonic clock.
        uploads: Acknowledged uploads.
        offsets: What the server said of each resumable upload's bytes, in order.
        gone: Uploads of which the server knew nothing any more, as sentences.
        jobs: Numbers of acknowledged jobs.
        cancelled: Those of them whose cancellation was acknowledged.
        erased: Videos that were purged, once the service says that there are none.
        restored: Videos that were deleted and restored.
        absent: Acknowledged labels of what is not here.
        mended: Acts on tracks that were taken back.
        answers: How often each status of 500 and more was answered.
        mistakes: What the service called its own mistake, and how often.
    """

    labels: list[WrittenLabel] = field(default_factory=list)
    label_times: list[float] = field(default_factory=list)
    uploads: list[Uploaded] = field(default_factory=list)
    offsets: dict[str, list[int]] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    erased: list[Erased] = field(default_factory=list)
    restored: list[int] = field(default_factory=list)
    absent: list[SaidAbsent] = field(default_factory=list)
    mended: list[Mended] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    mistakes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Journal) -> None:
        """Add what another journal holds, but for the times of its labels."""
        for name in ("labels", "uploads", "jobs", "cancelled"):
            getattr(self, name).extend(getattr(other, name))

    def so_far(self) -> Journal:
        """What was told of labels and uploads until now, which will not grow."""
        return Journal(labels=[*self.labels], absent=[*self.absent], mended=[*self.mended], uploads=[*self.uploads])

    def wrote(self, label: WrittenLabel) -> None:
        """A label write was acknowledged just now."""
        self.labels.append(label)
        self.label_times.append(time.monotonic())
