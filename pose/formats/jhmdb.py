"""J-HMDB: short clips with 15 joints on each frame.

The data set (Jhuang et al., *Towards understanding action recognition*, ICCV 2013) is read as it is published and
unpacked into one folder:

- ``joint_positions/CLASS/CLIP/joint_positions.mat``, of which ``pos_img``, ``(2, 15, F)``, is read. These are MATLAB's
  pixels, the first of which is 1; ours is 0.
- ``Rename_Images/CLASS/CLIP/00001.png`` and so on, or ``ReCompress_Videos/CLASS/CLIP.avi``.
- ``splits/CLASS_test_splitN.txt``, with ``CLIP.avi 1`` for a clip to train on and ``2`` for one to test on.

It does not say which joints are hidden. A joint beyond the edge of the picture, which is 320 x 240 pixels large, is
taken as hidden, others as visible.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.io import loadmat

from pose.formats.coco_layout import MAX_COORDINATE
from pose.formats.video_labels import VideoLabels
from pose.frame_table import VideoError
from pose.image_folder import numbered_images
from pose.skeleton import Skeleton
from pose.track import Track

#: Names are the data set's; sigmas are COCO's for the joints that both have, and our choice for neck, belly and face.
JHMDB_15 = Skeleton(
    name="jhmdb15",
    keypoints=(
        "neck", "belly", "face", "right_shoulder", "left_shoulder", "right_hip", "left_hip", "right_elbow",
        "left_elbow", "right_knee", "left_knee", "right_wrist", "left_wrist", "right_ankle", "left_ankle",
    ),
    edges=(
        (2, 0), (0, 1), (0, 3), (0, 4), (3, 7), (7, 11), (4, 8), (8, 12), (1, 5), (1, 6), (5, 9), (9, 13), (6, 10),
        (10, 14),
    ),
    swap=((4, 3), (6, 5), (8, 7), (10, 9), (12, 11), (14, 13)),
    sigmas=(
        0.079, 0.107, 0.026, 0.079, 0.079, 0.107, 0.107, 0.072, 0.072, 0.087, 0.087, 0.062, 0.062, 0.089, 0.089,
    ),
)  # fmt: skip

_WIDTH, _HEIGHT = 320, 240
_PARTS = {"train": "1", "test": "2"}


class JhmdbError(ValueError):
    """A file that is not as J-HMDB publishes it; the sentence begins with its name."""


def find_jhmdb(
    root: Path, *, split: int | None = None, part: Literal["train", "test"] = "train"
) -> Iterator[VideoLabels]:
    """The clips, in the order of their names, each with one subject, track 1; a name is like ``golf/CLIP``.

    Args:
        root: Folder of the data set.
        split: 1, 2 or 3 for the clips of one part of one of the published splits; None for all clips.
        part: Which part of the split.

    Raises:
        FileNotFoundError: There are no joint positions, no such split, or no frames of a clip.
        JhmdbError: A file cannot be read, or a clip has fewer frames than poses.
    """
    folder = root / "joint_positions"
    files = sorted(file for file in folder.glob("*/*/joint_positions.mat") if not file.parent.name.startswith("."))
    if not files:
        raise FileNotFoundError(f"there are no J-HMDB annotations: no */*/joint_positions.mat in {folder}")
    wanted = None if split is None else _part(root, split, part)
    for file in files:
        name = f"{file.parent.parent.name}/{file.parent.name}"
        if wanted is None or name in wanted:
            yield _clip(root, name, read_joint_positions(file))


def read_joint_positions(file: Path) -> Track:
    """The poses of a clip, of ``JHMDB_15``, on its first frames.

    Raises:
        FileNotFoundError: There is no such file.
        JhmdbError: It is no such file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"there is no {file}")
    try:
        positions = loadmat(file, variable_names=["pos_img"])["pos_img"]
    except KeyError:
        raise JhmdbError(f"{file}: there is no pos_img in it") from None
    except Exception as error:  # SciPy raises whatever the damage leads to
        raise JhmdbError(f"{file}: no MATLAB file that can be read ({error})") from error
    # MATLAB drops the last axis where it has length 1.
    positions = positions[..., None] if getattr(positions, "ndim", 0) == 2 else positions
    if positions.ndim != 3 or positions.shape[:2] != (2, JHMDB_15.size) or positions.dtype.kind not in "fiu":
        raise JhmdbError(f"{file}: pos_img is {positions.shape} {positions.dtype}, not numbers (2, {JHMDB_15.size}, F)")
    xy = np.moveaxis(positions.astype(np.float64), (2, 1, 0), (0, 1, 2)) - 1
    wrong = np.argwhere(~(np.abs(xy) <= MAX_COORDINATE))
    if len(wrong):
        frame, joint, axis = wrong[0]
        value = positions[axis, joint, frame]
        raise JhmdbError(f"{file}: pos_img({axis + 1}, {joint + 1}, {frame + 1}) is {value}, no pixel of a picture")
    inside = ((xy >= -0.5) & (xy <= np.array([_WIDTH, _HEIGHT]) - 0.5)).all(axis=-1)
    return Track.labelled(np.arange(len(xy)), np.concatenate([xy, np.where(inside, 2, 1)[..., None]], axis=-1))


def _clip(root: Path, name: str, track: Track) -> VideoLabels:
    images = root / "Rename_Images" / name
    video = root / "ReCompress_Videos" / f"{name}.avi"
    if images.is_dir():
        try:
            frames = tuple(numbered_images(images))
        except VideoError as error:
            raise JhmdbError(str(error)) from error
        if len(frames) < len(track):
            raise JhmdbError(f"{images}: {len(frames)} frames, fewer than the {len(track)} poses of the clip")
        return VideoLabels(name=name, skeleton=JHMDB_15, tracks={1: track}, frames=frames)
    if video.is_file():
        return VideoLabels(name=name, skeleton=JHMDB_15, tracks={1: track}, file=video)
    raise FileNotFoundError(f"there are no frames of {name}: neither the folder {images} nor the file {video}")


def _part(root: Path, split: int, part: str) -> set[str]:
    ending = f"_test_split{split}.txt"
    files = sorted((root / "splits").glob(f"*{ending}"))
    if not files:
        raise FileNotFoundError(f"there is no split {split}: no *{ending} in {root / 'splits'}")
    names = set()
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            clip, _, kind = line.strip().rpartition(" ")
            if not line.strip():
                continue
            if kind not in ("0", *_PARTS.values()) or not clip.strip():
                raise JhmdbError(f"{file}, line {number}: {line!r} is not like 'CLIP.avi 1'")
            if kind == _PARTS[part]:
                names.add(f"{file.name.removesuffix(ending)}/{clip.strip().removesuffix('.avi')}")
    return names
