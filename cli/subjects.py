"""The subjects that commands train on and measure: videos with the COCO files of their poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cli.files import opened, pairs, read_poses
from cli.options import UsageError
from pose.damage import inside
from pose.formats.coco import AS_IS, Reading
from pose.skeleton import Skeleton

if TYPE_CHECKING:
    from models.estimators.checkpoints import Loaded
    from models.training.subjects import Subject


def read_estimator(checkpoint: Path) -> Loaded:
    """The estimator of a checkpoint.

    Raises:
        UsageError: It cannot be used.
    """
    from models.estimators.checkpoints import load

    try:
        return load(checkpoint)
    except ValueError as error:  # CheckpointError is one
        raise UsageError(str(error)) from error


def read_subjects(
    files: Sequence[Path],
    skeleton: Skeleton | None = None,
    pseudo_weight: float = 1.0,
    *,
    reading: Reading = AS_IS,
) -> tuple[Skeleton, list[Subject]]:
    """Read subjects.

    Args:
        files: Videos, each with its COCO file after it.
        skeleton: The keypoints wanted; those of the first file where None.
        pseudo_weight: How much a machine's points count beside a person's, times their score.
        reading: How the COCO files are read.

    Returns:
        The skeleton, and the subjects: one for each track.

    Raises:
        UsageError: A file cannot be used.
    """
    from models.training.subjects import Subject

    found = pairs(files)
    stems = [video.stem for video, _ in found]
    subjects = []
    for video, labels in found:
        with opened(video) as frames:
            poses = read_poses(labels, frames, skeleton, reading=reading)
            skeleton, table, damaged = poses.skeleton, frames.table, frames.damaged
        name = video.stem if stems.count(video.stem) == 1 else str(video)
        for number, labelled in poses.tracks.items():
            track = labelled.select(~inside(damaged, labelled.frames))
            weight = np.where(track.score < 1, pseudo_weight * track.score, 1) * (track.visibility > 0) + track.absent
            subjects.append(Subject(f"{name}/{number}", name, video, table, track, weight.astype(np.float32)))
    assert skeleton is not None
    return skeleton, subjects


def by_hand(subjects: Sequence[Subject]) -> list[Subject]:
    """The labels of people, places and absences; subjects of which they labelled nothing are left out."""
    kept = []
    for subject in subjects:
        human = ((subject.track.score == 1) & (subject.track.visibility > 0)) | subject.track.absent
        labelled = replace(subject, weight=human.astype(np.float32)).select(human.any(axis=1))
        if len(labelled.track):
            kept.append(labelled)
    return kept
