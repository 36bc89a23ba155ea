"""Videos of PoseTrack, and how they are put together from the images and people of an annotation file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from pose.formats.coco_layout import MAX_COORDINATE, Faults
from pose.formats.video_labels import VideoLabels
from pose.skeleton import POSETRACK_15
from pose.track import Track

#: A video whose file names span more frames than this is refused.
MAX_FRAMES = 100_000


@dataclass(frozen=True, eq=False, kw_only=True)
class PoseTrackVideo(VideoLabels):
    """One video and the people labelled in it, in the order of ``POSETRACK_15``.

    The name is that of the folder of its frames, such as ``000342_mpii_test``. The lowest number listed is frame 0, and
    a number that the annotation file leaves out has its place among the frames, too.

    Attributes:
        labelled: ``(L,)`` frame indices on which people are labelled, if there are any.
        head_boxes: ``(F, 4)`` x, y, width, height on the frames of the track of the same id; NaN where there is none.
        ignored: ``(P, 2)`` corners of each region to be ignored, by frame index.
    """

    labelled: np.ndarray
    head_boxes: dict[int, np.ndarray]
    ignored: dict[int, list[np.ndarray]]


@dataclass(eq=False)
class Folder:
    """A video as it is being read; what is known of a frame is found by the number of its file."""

    name: str
    files: dict[int, PurePosixPath] = field(default_factory=dict)
    labelled: dict[int, bool] = field(default_factory=dict)
    ignored: dict[int, list[np.ndarray]] = field(default_factory=dict)
    people: dict[int, dict[int, tuple[np.ndarray, Sequence[float]]]] = field(default_factory=dict)

    def add(
        self, number: int, track_id: int, pose: np.ndarray, head_box: Sequence[float], pointer: str, faults: Faults
    ) -> None:
        """Note a person.

        A point with visibility 0 that has coordinates is taken as labelled but hidden, as poseval counts it; only
        ``0,0,0`` is not labelled. People without a labelled point are left out.

        Args:
            number: Of the file.
            track_id: Who it is.
            pose: ``(15, 3)`` x, y, visibility in the order of ``POSETRACK_15``.
            head_box: x, y, width, height; empty where there is none.
            pointer: Where it stands in the file.
            faults: Takes what is wrong with it.
        """
        known = pose.any(axis=1)
        if not known.any():
            return
        if (np.abs(pose) > MAX_COORDINATE).any():
            faults.add(f"{pointer}/keypoints", f"a coordinate is beyond {MAX_COORDINATE:.0f} pixels")
        poses = self.people.setdefault(track_id, {})
        if number in poses:
            faults.add(f"{pointer}/track_id", f"track {track_id} has a pose on {self.files[number]} already")
        visibility = np.where(pose[:, 2] > 0, 2, known)
        poses[number] = np.column_stack([pose[:, :2], visibility]), head_box
        self.labelled.setdefault(number, True)

    def video(self, root: Path) -> PoseTrackVideo:
        """The whole of it; ``root`` is what the file names are below."""
        first = min(self.files)
        people = {number: dict(sorted(found.items())) for number, found in sorted(self.people.items())}
        return PoseTrackVideo(
            name=self.name,
            skeleton=POSETRACK_15,
            frames=tuple(root / self._file(number) for number in range(first, max(self.files) + 1)),
            labelled=np.array(sorted(number - first for number, is_so in self.labelled.items() if is_so), np.int64),
            tracks={
                number: Track.labelled(np.array(list(found)) - first, np.stack([pose for pose, _ in found.values()]))
                for number, found in people.items()
            },
            head_boxes={
                number: np.array([box or [np.nan] * 4 for _, box in found.values()], dtype=np.float64)
                for number, found in people.items()
            },
            ignored={number - first: regions for number, regions in sorted(self.ignored.items())},
        )

    def _file(self, number: int) -> PurePosixPath:
        if number in self.files:
            return self.files[number]
        pattern = self.files[min(self.files)]
        return pattern.with_name(re.sub(r"^\d+", lambda found: f"{number:0{len(found[0])}}", pattern.name))


def place(folders: dict[str, Folder], file_name: str, pointer: str, faults: Faults) -> tuple[Folder, int] | None:
    """Note an image: the video that it belongs to, made where it is the first one, and its number there.

    Args:
        folders: The videos so far, by folder.
        file_name: Of the image.
        pointer: Where the name stands in the file.
        faults: Takes what is wrong with it; then there may be no place.
    """
    file = PurePosixPath(file_name)
    digits = re.match(r"\d+", file.name)
    if not digits or file.is_absolute() or ".." in file.parts:
        faults.add(pointer, f"{file_name!r} is not like images/val/000342_mpii_test/000000.jpg")
        return None
    number = int(digits[0])
    folder = folders.setdefault(str(file.parent), Folder(file.parent.name))
    if number in folder.files:
        faults.add(pointer, f"{folder.files[number]} and {file} are both frame {number}")
    folder.files[number] = file
    if max(folder.files) - min(folder.files) >= MAX_FRAMES:
        faults.add(pointer, f"frames {min(folder.files)} to {max(folder.files)} are too many")
    return folder, number
