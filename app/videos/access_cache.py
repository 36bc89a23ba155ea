"""Who looks at which video just now.

A page asks for frame after frame. What lets it see one lets it see the next, and a video that can be read does not
change, so the database is asked again only after a moment.
"""

from __future__ import annotations

from dataclasses import dataclass

from cachetools import TTLCache

from app.keys.service import Caller
from app.tables import Video

#: Whoever held a key that was just revoked sees frames of the video they were looking at for so long.
SECONDS = 3.0

_MOST = 10_000


@dataclass(frozen=True)
class VideoAccess:
    """A video that can be read, and who may look at it.

    Attributes:
        caller: Who.
        num_frames: Of the video.
        width: Of a frame, pixels.
        proxy_sha256: Of the file that frames are read from.
        table_sha256: Of its frame table.
        damaged: Ranges of frames that are damaged.
    """

    caller: Caller
    num_frames: int
    width: int
    proxy_sha256: str
    table_sha256: str
    damaged: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, video: Video, caller: Caller) -> VideoAccess:
        """The access of a caller to a video that can be read."""
        assert video.num_frames is not None
        assert video.width is not None
        assert video.proxy_sha256 is not None
        assert video.proxy_table_sha256 is not None
        damaged = tuple((start, stop) for start, stop in video.damaged or ())
        return cls(caller, video.num_frames, video.width, video.proxy_sha256, video.proxy_table_sha256, damaged)


#: By what somebody shows of themselves, a key or a cookie, and the video's id. For one thread.
VideoAccessCache = TTLCache[tuple[str | None, str | None, int], VideoAccess]


def new_access_cache() -> VideoAccessCache:
    """Nobody looks at anything yet."""
    return TTLCache(_MOST, SECONDS)
