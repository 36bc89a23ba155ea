"""The result of reading a data set: the labels of one video, and where its frames are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pose.frame_table import VideoError
from pose.image_folder import ImageFolder, numbered_images
from pose.skeleton import Skeleton
from pose.track import Track
from pose.video import VideoReader


@dataclass(frozen=True, eq=False, kw_only=True)
class VideoLabels:
    """One video of a data set with its labels.

    Attributes:
        name: Tells it from the data set's other videos.
        skeleton: Of its tracks.
        tracks: Labels by track id, which is the data set's own where it has one.
        frames: The image files, frame ``i`` at ``i``; empty where the frames are in ``file``, or nobody says where.
        file: The video file, where it is one.
    """

    name: str
    skeleton: Skeleton
    tracks: dict[int, Track]
    frames: tuple[Path, ...] = ()
    file: Path | None = None

    @property
    def path(self) -> Path:
        """The path for ``pose.image_folder.open_frames``: the video file, the only image, or the folder of images.

        Raises:
            VideoError: Nothing says where the frames are; or the folder holds images before the first of these frames,
                so that its frames would be counted otherwise.
        """
        if self.file is not None:
            return self.file
        if not self.frames:
            raise VideoError(f"{self.name}: the labels do not say where the frames are.")
        if len(self.frames) == 1:
            return self.frames[0]
        folder = self.frames[0].parent
        first = numbered_images(folder)[0]
        if first != self.frames[0]:
            raise VideoError(f"{self.name}: {folder} begins with {first.name}, the labels with {self.frames[0].name}.")
        return folder

    def open(self) -> VideoReader | ImageFolder:
        """The frames.

        Raises:
            FileNotFoundError: The video file is gone.
            VideoError: The frames cannot be read, or nothing says where they are.
        """
        if self.file is not None:
            return VideoReader(self.file)
        if not self.frames:
            raise VideoError(f"{self.name}: the labels do not say where the frames are.")
        return ImageFolder(self.frames)
