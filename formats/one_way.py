"""What is written for readers who take only a part of a project, and cannot be read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from formats import coco_results, mmpose_info
from formats.dataset import Dataset
from formats.losses import forget

#: Kinds of loss that are counted; these readers take no more than a part of the rest.
LOSES = ("retired",)


@dataclass(frozen=True, kw_only=True)
class OneWay:
    """A kind of file.

    Attributes:
        write: Writes a data set without retired keypoints to a file; gives how many poses it left out. The last
            argument is the truth file.
        truth: Whether it is written for a truth file.
    """

    write: Callable[[Dataset, Path, Path | None], int]
    truth: bool = False


def _results(dataset: Dataset, target: Path, truth: Path | None) -> int:
    assert truth is not None
    return coco_results.write(dataset, target, truth)


def _info(dataset: Dataset, target: Path, truth: Path | None) -> int:
    mmpose_info.write(dataset.skeleton, target)
    return 0


ONE_WAY = {
    "coco-results": OneWay(write=_results, truth=True),
    "mmpose-info": OneWay(write=_info),
}


def write(dataset: Dataset, name: str, target: Path, truth: Path | None) -> int:
    """Write a file.

    Args:
        dataset: What.
        name: Of the kind, a key of ``ONE_WAY``.
        target: The file.
        truth: The file of the truth, where the kind has one.

    Returns:
        How many poses were left out.

    Raises:
        FormatError: The truth cannot be read, or does not fit.
        OSError: The file cannot be written.
    """
    return ONE_WAY[name].write(forget(dataset, LOSES), target, truth)
