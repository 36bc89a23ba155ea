"""Subjects by name, as DeepLabCut knows them: one list for all videos."""

from __future__ import annotations

import re
from collections.abc import Sequence

from formats.dataset import Dataset

#: What a track without a name is called.
PREFIX = "individual"


def individuals(dataset: Dataset) -> tuple[list[str], dict[tuple[int, int], str]]:
    """Names for all subjects that have a pose.

    Returns:
        The names, by the lowest track number they have; and the name of each video's track. A track without a name is
        called by its number. Two tracks of a video are never called alike, those of two videos are one individual then.
    """
    used = {(int(video), int(track)) for video, track in zip(dataset.video, dataset.track, strict=True)}
    name_of: dict[tuple[int, int], str] = {}
    taken: set[tuple[int, str]] = set()
    for video, track in sorted(used):
        plain = dataset.videos[video].tracks.get(track) or f"{PREFIX}{track}"
        name, number = plain, 1
        while (video, name) in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add((video, name))
        name_of[video, track] = name
    lowest: dict[str, int] = {}
    for (_, track), name in name_of.items():
        lowest[name] = min(track, lowest.get(name, track))
    return sorted(lowest, key=lambda name: (lowest[name], name)), name_of


def numbered(names: Sequence[str]) -> list[tuple[int, str | None]]:
    """The track number of each individual, and its name unless that says no more than the number.

    Args:
        names: Of the individuals, all different.
    """
    numbers = [re.fullmatch(PREFIX + r"([1-9][0-9]{0,8})", name) for name in names]
    if all(numbers):
        return [(int(number[1]), None) for number in numbers if number]
    return [(place, name) for place, name in enumerate(names, start=1)]
