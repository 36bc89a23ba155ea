"""Videos with truth on every frame, found in a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pose.formats.coco import read_coco
from pose.track import Track


@dataclass(frozen=True)
class LabelledVideo:
    """A video and the COCO file with the truth about it.

    Attributes:
        name: Folder, relative to where it was searched.
        group: First part of the name: what is reported together.
        video: The file.
        truth: The file.
    """

    name: str
    group: str
    video: Path
    truth: Path

    def tracks(self) -> dict[int, Track]:
        """The truth by track id."""
        return read_coco(self.truth.read_bytes()).tracks

    def keypoints(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(read_coco(self.truth.read_bytes()).skeleton.keypoints)


def find(root: Path) -> Iterator[LabelledVideo]:
    """Folders that hold ``truth.json`` and ``video.*`` and are labelled on consecutive frames; others are named."""
    for truth in sorted(root.rglob("truth.json")):
        name = truth.parent.relative_to(root)
        videos = sorted(truth.parent.glob("video.*"))
        if not videos:
            print(f"{name}: left out, no video.*", file=sys.stderr)
            continue
        found = LabelledVideo(str(name), name.parts[0] if name.parts else root.name, videos[0], truth)
        if (np.diff(frames(found.tracks())) != 1).any():
            print(f"{name}: left out, labels are not on consecutive frames", file=sys.stderr)
        else:
            yield found


def frames(tracks: dict[int, Track]) -> np.ndarray:
    """``(F,)`` frames on which some track is labelled."""
    return np.unique(np.concatenate([track.frames for track in tracks.values()]))


def keyframes(tracks: dict[int, Track], every: int) -> dict[int, Track]:
    """Labels a person might have made: the first labelled frame, each ``every`` frames later, and the last."""
    labelled = frames(tracks)
    chosen = [labelled[0]]
    for frame in labelled:
        if frame - chosen[-1] >= every:
            chosen.append(frame)
    kept = {number: track.select(np.isin(track.frames, [*chosen, labelled[-1]])) for number, track in tracks.items()}
    return {number: track for number, track in kept.items() if track.visibility.any()}
