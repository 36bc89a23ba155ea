"""What a data set holds, for machines and for people."""

from __future__ import annotations

from typing import Any

import numpy as np

from formats.dataset import Dataset
from pose.formats.coco_layout import counted


def counts(dataset: Dataset) -> dict[str, Any]:
    """What a data set holds."""
    videos = []
    for number, video in enumerate(dataset.videos):
        rows = dataset.rows_of(number)
        videos.append(
            {
                "name": video.name,
                "width": video.width,
                "height": video.height,
                "num_frames": video.num_frames,
                "labelled_frames": len(np.unique(dataset.frame[rows])),
                "empty_frames": len(video.empty),
                "poses": rows.stop - rows.start,
                "tracks": {str(track): video.tracks.get(track) for track in np.unique(dataset.track[rows]).tolist()},
            }
        )
    return {
        "keypoints": [*dataset.skeleton.keypoints],
        "poses": len(dataset),
        "points": int(dataset.known.sum()),
        "by_people": int(dataset.human.sum()),
        "by_machines": int(dataset.machine.sum()),
        "hidden": int((dataset.visibility == 1).sum()),
        "absent": int(dataset.absent.sum()),
        "videos": videos,
    }


def video_line(video: dict[str, Any]) -> str:
    """A video of ``counts`` in a line."""
    size = f"{video['width']} x {video['height']}" if video["width"] and video["height"] else "size not said"
    length = counted(video["num_frames"], "frame") if video["num_frames"] else "length not said"
    tracks = ", ".join(f"{number} {name}" if name else number for number, name in video["tracks"].items())
    frames = f"{counted(video['poses'], 'pose')} on {counted(video['labelled_frames'], 'frame')}"
    nobody = f", nobody on {video['empty_frames']}" if video["empty_frames"] else ""
    return f"video {video['name']!r} ({size}, {length}): {frames}{nobody}; tracks: {tracks or 'none'}"


def poses_line(told: dict[str, Any]) -> str:
    """All of ``counts`` in a line."""
    points = f"{counted(told['points'], 'point')}, {told['by_people']} by people and {told['by_machines']} by machines"
    return f"{counted(told['poses'], 'pose')} with {points}, in {counted(len(told['videos']), 'video')}"
