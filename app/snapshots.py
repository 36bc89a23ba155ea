"""The labels and runs of a project as they stand at one moment: what exports are made of and estimators learn from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import invalid
from app.jobs.params import Snapshot, VideoSnapshot
from app.labels.schemas import Layer, Source
from app.reviews import standing
from app.runs import poses, stages
from app.tables import Project, Video
from app.videos.service import READABLE


def videos_of(session: Session, project: Project, wanted: Sequence[int] | None) -> list[Video]:
    """The project's videos that can be read, or those that were asked for.

    Raises:
        Invalid: One that was asked for is not the project's, was deleted, or cannot be read.
    """
    mine = Video.project_id == project.id, Video.deleted_at.is_(None)
    videos = list(session.scalars(select(Video).where(*mine).order_by(Video.id)))
    if wanted is None:
        return [video for video in videos if video.status in READABLE]
    known = {video.id: video for video in videos}
    for index, number in enumerate(wanted):
        if number not in known:
            raise invalid(f"/videos/{index}", f"the project has no video {number}")
        if known[number].status not in READABLE:
            raise invalid(f"/videos/{index}", f"video {number} cannot be read: it is {known[number].status}")
    return [video for video in videos if video.id in wanted]


def take(session: Session, project: Project, videos: Sequence[Video], *, ended: bool = False) -> Snapshot:
    """Record all that is needed to read the same poses later.

    Args:
        session: The transaction.
        project: Whose.
        videos: Of the project.
        ended: Only runs to which nothing is added any more.
    """
    return Snapshot(
        skeleton_version=project.skeleton_version,
        videos=[
            VideoSnapshot(
                id=video.id,
                revision=video.revision,
                runs=(runs := poses.visible_runs(session, video.id, ended=ended)),
                reviews=standing.last(session, video.id),
                first_stages=stages.firsts(session, runs) or msgspec.UNSET,
            )
            for video in videos
        ],
    )


def layer_of(include: Collection[Source]) -> Layer:
    """The layer to read for some sources. Which points are a machine's is only known once people's lie over them."""
    return "human" if {*include} == {"human"} else "merged"
