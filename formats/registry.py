"""The formats by name, and which one a file is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from formats import (
    coco,
    cvat,
    dlc,
    dlc_predictions,
    label_studio,
    lightning_pose,
    nwb,
    posemark,
    posetrack,
    sleap_analysis,
    slp,
    yolo,
)
from formats.dataset import Dataset
from formats.errors import refuse
from formats.losses import report, settle


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format.

    Attributes:
        title: What people call it.
        kind: Whether it is written as one file or as a folder.
        ending: Of the file; empty for a folder.
        read: Reads a file or folder. Raises ``FormatError`` alone.
        write: Writes a data set that holds nothing of what the format loses: to a file, which is made anew, or into an
            empty folder. Raises ``FormatError`` where the format can hold no such data set at all, and ``OSError``.
        loses: What it cannot hold, keys of ``formats.losses.LOSSES``.
        extra: Whether it needs what ``pip install 'posetween[formats]'`` installs.
        needs_sizes: Whether coordinates are shares of the picture, so that a video must say how large it is.
    """

    title: str
    kind: Literal["file", "folder"]
    ending: str
    read: Callable[[Path], Dataset]
    write: Callable[[Dataset, Path], None]
    loses: tuple[str, ...]
    extra: bool = False
    needs_sizes: bool = False


FORMATS = {
    "coco": Format(
        title="COCO keypoints",
        kind="file",
        ending=".json",
        read=coco.read,
        write=coco.write,
        loses=coco.LOSES,
    ),
    "dlc": Format(
        title="DeepLabCut labels",
        kind="folder",
        ending="",
        read=dlc.read,
        write=dlc.write,
        loses=dlc.LOSES,
    ),
    "dlc-predictions": Format(
        title="DeepLabCut predictions",
        kind="folder",
        ending="",
        read=dlc_predictions.read,
        write=dlc_predictions.write,
        loses=dlc_predictions.LOSES,
    ),
    "lightning-pose": Format(
        title="Lightning Pose labels",
        kind="folder",
        ending="",
        read=lightning_pose.read,
        write=lightning_pose.write,
        loses=lightning_pose.LOSES,
    ),
    "yolo": Format(
        title="YOLO-pose (Ultralytics)",
        kind="folder",
        ending="",
        read=yolo.read,
        write=yolo.write,
        loses=yolo.LOSES,
        needs_sizes=True,
    ),
    "cvat": Format(
        title="CVAT XML 1.1",
        kind="file",
        ending=".xml",
        read=cvat.read,
        write=cvat.write,
        loses=cvat.LOSES,
    ),
    "posetrack": Format(
        title="PoseTrack18 and 21",
        kind="folder",
        ending="",
        read=posetrack.read,
        write=posetrack.write,
        loses=posetrack.LOSES,
    ),
    "slp": Format(
        title="SLEAP project",
        kind="file",
        ending=".slp",
        read=slp.read,
        write=slp.write,
        loses=slp.LOSES,
        extra=True,
    ),
    "sleap-analysis": Format(
        title="SLEAP analysis HDF5",
        kind="folder",
        ending="",
        read=sleap_analysis.read,
        write=sleap_analysis.write,
        loses=sleap_analysis.LOSES,
        extra=True,
    ),
    "posemark": Format(
        title="PoseMark",
        kind="folder",
        ending="",
        read=posemark.read,
        write=posemark.write,
        loses=posemark.LOSES,
    ),
    "nwb": Format(
        title="NWB with ndx-pose",
        kind="folder",
        ending="",
        read=nwb.read,
        write=nwb.write,
        loses=nwb.LOSES,
        extra=True,
    ),
    "label-studio": Format(
        title="Label Studio JSON",
        kind="file",
        ending=".json",
        read=label_studio.read,
        write=label_studio.write,
        loses=label_studio.LOSES,
        needs_sizes=True,
    ),
}


def check(dataset: Dataset, name: str, target: Path) -> dict[str, int]:
    """What a format would not hold of a data set, see ``formats.losses.report``.

    Args:
        dataset: What is to be written.
        name: Of the format, a key of ``FORMATS``.
        target: Where to, for the error.

    Raises:
        FormatError: A video does not say how large it is, and the format needs it.
    """
    _check_sizes(dataset, FORMATS[name], target)
    return report(dataset, FORMATS[name].loses)


def _check_sizes(dataset: Dataset, form: Format, target: Path) -> None:
    for number, video in enumerate(dataset.videos if form.needs_sizes else ()):
        if (video.width is None or video.height is None) and _has_rows(dataset, number):
            sentence = (
                f"the size of video {video.name!r} is not known, and {form.title} has shares of it for coordinates"
            )
            raise refuse(target, "", sentence)


def write(dataset: Dataset, name: str, target: Path) -> dict[str, int]:
    """Write a data set.

    Args:
        dataset: What.
        name: Of the format, a key of ``FORMATS``.
        target: A file or folder that is not there yet; what was written before an error stays.

    Returns:
        What the format does not hold of it, see ``formats.losses.report``.

    Raises:
        FormatError: The format can hold no such data set.
        OSError: The place cannot be written to, or the disk is full.
    """
    form = FORMATS[name]
    _check_sizes(dataset, form, target)
    losses, left = settle(dataset, form.loses)
    if form.kind == "folder":
        target.mkdir(parents=True, exist_ok=True)
    form.write(left, target)
    return losses


def _has_rows(dataset: Dataset, video: int) -> bool:
    rows = dataset.rows_of(video)
    return bool(rows.stop > rows.start)
