"""Shares of videos that are labelled, reviewed and propagated: the last counts, and whether they still hold.

Counting looks over a whole video, so it is done beside the requests (``app.reviews.counting``). What can change the
numbers leaves a trace in a few rows, of which a text is made: the *state*. A list compares it with that of the last
count, with as many questions for two hundred videos as for one.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.tables import Job, Project, Review, Run, TrackRow, Video, VideoShare
from app.videos.schemas import ShareOut


def states(session: Session, videos: Collection[int]) -> dict[int, str]:
    """The states on which the shares of some videos depend: labels and tracks, skeleton, reviews, and the runs that are
    seen.
    """
    reviews = select(func.max(Review.number)).where(Review.video_id == Video.id).scalar_subquery()
    tracks = select(func.count()).where(TrackRow.video_id == Video.id, ~TrackRow.deleted).scalar_subquery()
    said = (
        select(Video.id, Video.revision, Project.skeleton_version, func.coalesce(reviews, 0), tracks)
        .join(Project, Project.id == Video.project_id)
        .where(Video.id.in_(videos))
    )
    # Which runs are seen, and how far those are that go on: a job's version grows with each step that it tells of.
    seen = (
        select(Run.video_id, func.count(), func.sum(Run.id), func.sum(Run.id * Run.id), func.sum(Job.version))
        .join(Job, Job.id == Run.job_id)
        .where(Run.video_id.in_(videos), Run.hidden_at.is_(None))
        .group_by(Run.video_id)
    )
    runs = {video: ".".join(map(str, numbers)) for video, *numbers in session.execute(seen)}
    return {video: f"{'.'.join(map(str, numbers))}/{runs.get(video, '')}" for video, *numbers in session.execute(said)}


def known(session: Session, videos: Collection[int]) -> dict[int, ShareOut]:
    """The counts of some videos, by their numbers; those of which nothing was counted are left out."""
    rows = session.scalars(select(VideoShare).where(VideoShare.video_id.in_(videos))).all()
    now = states(session, [row.video_id for row in rows]) if rows else {}
    return {
        row.video_id: ShareOut(
            poses=row.poses,
            labelled=row.labelled,
            reviewed=row.reviewed,
            propagated=row.propagated,
            current=now.get(row.video_id) == row.state,
        )
        for row in rows
    }
