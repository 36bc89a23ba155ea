"""Reading a window of labels: what people said, what a machine made of it, or the one laid over the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.labels import history
from app.labels.history import Labels
from app.labels.schemas import LabelOut, Layer, Source
from app.runs import poses
from app.runs.poses import PseudoLabels
from app.storage import Storage
from app.tables import Video
from pose.track import Track


@dataclass(frozen=True, eq=False)
class Layered:
    """One track in a window of frames: people's points over a machine's.

    Attributes:
        number: The track's number.
        poses: The frames on which anything is known or was propagated.
        human: ``(F, K)`` bool: points a person labelled.
        revisions: ``(F,)`` int64 revision of the human label, 0 where there is none.
        runs: ``(F,)`` int64 run of the pseudo-label, 0 where there is none.
    """

    number: int
    poses: Track
    human: np.ndarray
    revisions: np.ndarray
    runs: np.ndarray

    def sources(self, row: int) -> list[Source | None]:
        """``K`` entries: who made each known point of a frame."""
        return [
            None if not v else "human" if by_hand else "pseudo"
            for v, by_hand in zip(self.poses.visibility[row], self.human[row], strict=True)
        ]


def read(
    session: Session,
    storage: Storage,
    video: Video,
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    layer: Layer,
    revision: int | None = None,
    runs: Sequence[int] | None = None,
) -> list[Layered]:
    """Read a window.

    Args:
        session: The transaction.
        storage: Where segments are.
        video: Whose labels.
        num_keypoints: ``K`` of the skeleton to read them in.
        start: First frame.
        stop: Frame after the last.
        layer: What to read.
        revision: Human labels as of this revision; None for the present.
        runs: Read pseudo-labels of these runs; None for all that are visible.

    Returns:
        The tracks that have any poses there, by number.
    """
    human: dict[int, tuple[Track, np.ndarray]] = {}
    if layer != "pseudo":
        labels = history.read(session, video.id, num_keypoints, start=start, stop=stop, revision=revision)
        human = {int(number): _track(labels, int(number)) for number in np.unique(labels.tracks)}
    pseudo: dict[int, PseudoLabels] = {}
    if layer != "human":
        chosen = poses.visible_runs(session, video.id) if runs is None else runs
        pseudo = poses.read(session, storage, chosen, num_keypoints, start=start, stop=stop)
    nobody = Track.empty(num_keypoints), np.zeros(0, dtype=np.int64)
    nothing = PseudoLabels(*nobody)
    return [
        _merge(number, *human.get(number, nobody), pseudo.get(number, nothing))
        for number in sorted(human.keys() | pseudo.keys())
    ]


def by_frame(tracks: Sequence[Layered]) -> Iterator[tuple[Layered, int]]:
    """Each pose of a window as its track and row, in order of frame and track."""
    frames = np.concatenate([track.poses.frames for track in tracks] or [np.zeros(0, dtype=np.int64)])
    owners = np.repeat(np.arange(len(tracks)), [len(track.poses) for track in tracks])
    rows = np.concatenate([np.arange(len(track.poses)) for track in tracks] or [np.zeros(0, dtype=np.int64)])
    for index in np.lexsort((owners, frames)):
        yield tracks[owners[index]], int(rows[index])


def show(track: Layered, row: int) -> LabelOut:
    """A pose as the API shows it."""
    poses_ = track.poses
    visibility, scores = poses_.visibility[row], poses_.score[row]
    xy = np.round(poses_.xy[row].astype(float), 4).tolist()
    sources = track.sources(row)
    made = {source for source in sources if source is not None}
    by_hand = made <= {"human"} and not (track.runs[row] and not made)
    label = LabelOut(
        frame_index=int(poses_.frames[row]),
        track_id=track.number,
        keypoints=[(x, y, v) for (x, y), v in zip(xy, visibility.tolist(), strict=True)],
        source="human" if by_hand else "pseudo",
        revision=int(track.revisions[row]) or None,
        run_id=int(track.runs[row]) or None,
    )
    if not by_hand:
        label.score = round(float(scores[visibility > 0].mean()), 4) if made else 0.0
        label.keypoint_scores = np.round(scores.astype(float), 4).tolist()
        label.keypoint_radius90 = np.round(poses_.radius90[row].astype(float), 2).tolist()
        label.keypoint_sources = sources if "human" in made else None
    return label


def _track(labels: Labels, number: int) -> tuple[Track, np.ndarray]:
    track = labels.track(number)
    mine = labels.tracks == number
    return track, labels.revisions[mine][np.isin(labels.frames[mine], track.frames)]


def _merge(number: int, above: Track, revisions: np.ndarray, below: PseudoLabels) -> Layered:
    merged = above.over(below.poses)
    by_hand = np.searchsorted(merged.frames, above.frames)
    by_run = np.searchsorted(merged.frames, below.poses.frames)
    layered = Layered(
        number=number,
        poses=merged,
        human=np.zeros(merged.visibility.shape, dtype=bool),
        revisions=np.zeros(len(merged), dtype=np.int64),
        runs=np.zeros(len(merged), dtype=np.int64),
    )
    layered.human[by_hand] = above.visibility > 0
    layered.revisions[by_hand] = revisions
    layered.runs[by_run] = below.runs
    return layered
