"""The subjects of a training: labels of the ledger beside videos on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from app.tables import Video
from app.trainings.label_set import LabelledTrack
from models.training.subjects import Subject
from pose.frame_table import FrameTable
from worker.context import Context, MissingFile


def subjects_of(context: Context, labelled: Sequence[LabelledTrack], folder: Path) -> list[Subject]:
    """Subjects with the videos that they are in.

    Args:
        context: The job.
        labelled: What is known of them.
        folder: Of the training: it holds on to videos that are copies of a remote store's.

    Raises:
        MissingFile: A video is not in the storage.
    """
    files: dict[int, tuple[Path, FrameTable]] = {}
    for one in labelled:
        if one.video.id not in files:
            files[one.video.id] = _fetched(context, one.video, folder)
    return [
        Subject(
            name=f"{one.video.slug}/{one.track}",
            video=one.video.slug,
            path=files[one.video.id][0],
            table=files[one.video.id][1],
            track=one.poses,
            weight=one.weight,
            around=one.around,
        )
        for one in labelled
    ]


def _fetched(context: Context, video: Video, folder: Path) -> tuple[Path, FrameTable]:
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    try:
        table = FrameTable.from_bytes(context.storage.get(video.proxy_table_sha256))
        path = context.storage.file(video.proxy_sha256, context.check_cancelled, within=0)
        return _held(path, folder / f"{video.proxy_sha256}.mp4"), table
    except FileNotFoundError as error:
        raise MissingFile(f"the file of video {video.id} is missing from the storage") from error


def _held(path: Path, name: Path) -> Path:
    """Another name for a file, under which it stays when the cache of a remote store drops it."""
    try:
        os.link(path, name)
    except FileExistsError:
        pass
    except FileNotFoundError:
        raise
    except OSError:  # on another disk, which a remote store's copies are not
        return path
    return name
