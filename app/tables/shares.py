"""What was counted of videos, so that lists can tell it."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table


class VideoShare(Table):
    """How many poses of a video were labelled, reviewed and propagated when they were counted last.

    ``state`` tells what they were counted of (``app.videos.shares``); where it is another one by now they are old. No
    truth of its own: a row that is missing is counted again.
    """

    __tablename__ = "video_share"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True, autoincrement=False)
    state: Mapped[str]
    poses: Mapped[int]
    labelled: Mapped[int]
    reviewed: Mapped[int]
    propagated: Mapped[int]
