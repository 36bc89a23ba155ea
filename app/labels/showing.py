"""A window of labels as the API shows it, pose by pose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.labels.absences import absence
from app.labels.schemas import LabelOut
from app.labels.windows import Layered
from app.runs.radii import state_of

#: A row of them becomes a list of ``(x, y, v)``.
_POINT = np.dtype([("x", np.float64), ("y", np.float64), ("v", np.int64)])


def show(tracks: Sequence[Layered]) -> list[LabelOut]:
    """The poses of a window as the API shows them, in order of frame and track."""
    shown = [label for track in tracks for label in _show(track)]
    return sorted(shown, key=lambda label: (label.frame_index, label.track_id))


def calibrated(tracks: Sequence[Layered]) -> bool:
    """Whether any radius of a window is not as its engine gave it."""
    return any(track.rests is not None and bool(track.rests.any()) for track in tracks)


def _show(track: Layered) -> list[LabelOut]:
    # Rows become lists together: one by one that takes longer than reading them.
    poses_, known = track.poses, track.poses.visibility > 0
    by_hand = (track.human | ~known).all(axis=1) & ((track.runs == 0) | poses_.said.any(axis=1))
    points = np.empty(known.shape, _POINT)
    points["x"], points["y"] = np.moveaxis(np.round(poses_.xy.astype(float), 4), -1, 0)
    points["v"] = poses_.visibility
    absent = poses_.absent.any(axis=1)
    labels = [
        LabelOut(
            frame_index=frame,
            track_id=track.number,
            keypoints=keypoints,
            source="human" if human else "pseudo",
            revision=revision or None,
            run_id=run or None,
        )
        for frame, keypoints, human, revision, run in zip(
            *(column.tolist() for column in (poses_.frames, points, by_hand, track.revisions, track.runs)), strict=True
        )
    ]
    for row in np.flatnonzero(absent).tolist():
        labels[row].absent = absence(poses_.absent[row])
    for row in np.flatnonzero(~by_hand).tolist():
        _tell_of_machine(labels[row], track, row)
    for row in np.flatnonzero(track.rejected.any(axis=1)).tolist():
        labels[row].rejected = True
        labels[row].rejected_keypoints = np.flatnonzero(track.rejected[row]).tolist()
    for row in np.flatnonzero(track.stale.any(axis=1)).tolist():
        labels[row].stale = True
        labels[row].stale_keypoints = np.flatnonzero(track.stale[row]).tolist()
    return labels


def _tell_of_machine(label: LabelOut, track: Layered, row: int) -> None:
    """Say of a pose that is not a person's alone how sure it is."""
    poses_, sources = track.poses, track.sources(row)
    scores, known = poses_.score[row], poses_.visibility[row] > 0
    kinds = {*sources} - {None}
    if kinds == {"accepted"}:
        label.source = "accepted"
    label.score = round(float(scores[known].mean()), 4) if known.any() else 0.0
    label.keypoint_scores = np.round(scores.astype(float), 4).tolist()
    label.keypoint_radius90 = np.round(poses_.radius90[row].astype(float), 2).tolist()
    label.keypoint_sources = sources if len(kinds) > 1 else None
    if track.rests is None:
        return
    machine = known & ~track.human[row]
    rests = track.rests[row]
    if machine.any() and rests[machine].any():
        # The least sure of them, and of these the one with the fewest keyframes behind it.
        least = min(rests[machine].tolist(), key=lambda one: (one & 3, one >> 2))
        state, label.radius90_keyframes = state_of(least)
        label.radius90_state = state.value
        if len({*(rests[machine] & 3).tolist()}) > 1:
            label.keypoint_radius90_states = [
                state_of(int(one))[0].value if mine else None for one, mine in zip(rests, machine, strict=True)
            ]
