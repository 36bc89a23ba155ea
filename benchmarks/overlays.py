"""Draw what an engine propagates over real video, beside the truth: a contact sheet and a short video per clip.

Run ``python -m benchmarks.overlays --data DIR --output FOLDER``. Of each group of clips (see
``benchmarks.labelled_videos``) the first is drawn, or those that ``--clips`` names. Left is what people labelled on
every frame, right what the engine made of every ``--gap``-th; circles are ``radius90``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from benchmarks.labelled_videos import LabelledVideo, find, keyframes
from benchmarks.variants import NAMES, build
from models.propagate import propagate
from pose.drawing import contact_sheet, overlay
from pose.formats.coco import read_coco
from pose.frame_table import scan
from pose.frames import RecentFrames
from pose.track import Track, join
from pose.video import VideoReader
from pose.video_writer import VideoWriter

_SHEET_FRAMES = 12
_COLUMNS = 3
_RATE = 12  # frames per second of the video, slow enough to look
_SIDE = 480  # pixels, the longer one of each half
_MARGIN = 0.2  # of the longer side of what subjects cover


def drawn(clip: LabelledVideo, engine: str, every: int, longest: int) -> Iterator[tuple[int, np.ndarray]]:
    """Frames with the truth on the left and an engine's poses on the right, at most ``longest`` of them."""
    truth = read_coco(clip.truth.read_bytes())
    known = keyframes(truth.tracks, every)
    labelled = {number: set(track.frames.tolist()) for number, track in known.items()}
    with VideoReader(clip.video, scan(clip.video)) as video:
        made: dict[int, list[Track]] = {number: [] for number in known}
        for number, _, poses in propagate(video, known, engine=build(engine, RecentFrames(video), known)):
            made[number].append(poses)
        first = int(min(track.frames[0] for track in known.values()))
        last = min(first + longest, video.num_frames)
        near = View.around([track.between(first, last) for track in truth.tracks.values()], video.width, video.height)
        theirs = {number: near.of(track) for number, track in truth.tracks.items()}
        ours = {number: near.of(join(parts)) for number, parts in made.items()}
        for index, frame in enumerate(video.frames(first, last), first):
            shown = near.cut(frame)
            left = overlay(shown, index, theirs, truth.skeleton, keyframes=labelled, caption="truth")
            right = overlay(shown, index, ours, truth.skeleton, keyframes=labelled, radii=True)
            yield index, np.hstack([left, right])


@dataclass(frozen=True)
class View:
    """The part of a video's frames that is shown, and how much larger.

    Attributes:
        left, top, width, height: Of the part in pixels of the video.
        scale: Factor.
    """

    left: int
    top: int
    width: int
    height: int
    scale: float

    @classmethod
    def around(cls, tracks: Sequence[Track], width: int, height: int) -> View:
        """The part that subjects are seen in, and some of what is around it."""
        places = np.concatenate([track.xy[track.visibility > 0] for track in tracks])
        margin = _MARGIN * float(np.ptp(places, axis=0).max())
        left, top = np.maximum(0, places.min(axis=0) - margin).astype(int).tolist()
        right, bottom = np.minimum((width, height), places.max(axis=0) + margin).astype(int).tolist()
        return cls(left, top, right - left, bottom - top, _SIDE / max(right - left, bottom - top))

    def of(self, track: Track) -> Track:
        """A track in pixels of the view."""
        known = (track.visibility > 0)[..., None]
        xy = np.where(known, (track.xy - np.float32([self.left, self.top])) * np.float32(self.scale), track.xy)
        return replace(track, xy=xy, radius90=track.radius90 * np.float32(self.scale))

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """The view of a frame; its sides are even."""
        part = frame[self.top : self.top + self.height, self.left : self.left + self.width]
        width, height = (2 * round(self.scale * side / 2) for side in (self.width, self.height))
        return cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--engine", choices=NAMES, default="stdpose")
    parser.add_argument("--gap", type=int, default=20)
    parser.add_argument("--frames", type=int, default=121, help="of a clip, at most")
    parser.add_argument("--clips", default="", help="names, separated by commas")
    arguments = parser.parse_args()
    wanted = [name for name in arguments.clips.split(",") if name]
    found = list(find(arguments.data))
    chosen = [next(group) for _, group in groupby(found, key=lambda clip: clip.group)]
    if wanted:
        chosen = [clip for clip in found if clip.name in wanted]
    arguments.output.mkdir(parents=True, exist_ok=True)
    for clip in chosen:
        pictures = dict(drawn(clip, arguments.engine, arguments.gap, arguments.frames))
        picks = np.unique(np.linspace(0, len(pictures) - 1, _SHEET_FRAMES).round().astype(int))
        indices = np.array([*pictures])[picks]
        sheet = contact_sheet([pictures[i] for i in indices], [f"frame {i}" for i in indices], columns=_COLUMNS)
        path = arguments.output / clip.name.replace("/", "_")
        cv2.imwrite(f"{path}.png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        height, width = pictures[indices[0]].shape[:2]
        with VideoWriter(f"{path}.mp4", _RATE, width, height) as writer:
            for picture in pictures.values():
                writer.write(picture)
        print(f"{path}.png {path}.mp4")


if __name__ == "__main__":
    main()
