"""How well keypoints are found again by what a backbone says of them, without any training for it.

Run ``python -m benchmarks.descriptors --data DIR/jhmdb > benchmarks/results/descriptors.md``. Each keypoint's
descriptors on the two keyframes around a frame are looked for on that frame: the best place within ``REACH`` of the
subject's size around linear interpolation, where each level's similarity counts alike and the nearer keyframe more. No
model of motion, no refinement: what is measured is what the descriptors alone can tell.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.labelled_videos import LabelledVideo, find, keyframes
from models.backbones.config import STRIDES, LitePyramidConfig, pad
from models.backbones.efficientnet_lite import EfficientNetLite, LitePyramid
from models.engines.gap import Gap, crop_of, gaps
from models.stdpose import checkpoints
from models.stdpose.correlation import descriptors
from pose.frame_table import scan
from pose.segments import Segment
from pose.track import Track
from pose.video import VideoReader

#: Share of the subject's size around linear interpolation that is searched.
REACH = 0.3

_GRID = 2  # pixels of the crop from one place that is tried to the next
_LONGEST_SIDE = 224

Describe = Callable[[Tensor], Sequence[Tensor]]


@dataclass(frozen=True, eq=False)
class Found:
    """Errors over the truth's box diagonal of the places found and of interpolation, ``(P,)`` each."""

    matched: np.ndarray
    linear: np.ndarray


def search(clip: LabelledVideo, describe: Describe, levels: Sequence[int], every: int, size: float) -> Found:
    """Look for all keypoints of a clip.

    Args:
        clip: With truth on every frame.
        describe: Maps of descriptors at ``STRIDES`` of images ``(N, 3, H, W)``.
        levels: Those of ``STRIDES`` that count.
        every: Frames from one keyframe to the next.
        size: Pixels that the subject's box diagonal is scaled to.
    """
    truth = clip.tracks()
    given = keyframes(truth, every)
    matched, linear = [], []
    with VideoReader(clip.video, scan(clip.video)) as video:
        for number, labels in given.items():
            first, last = int(labels.frames[0]), int(labels.frames[-1])
            for gap in gaps(labels, Segment(first, last + 1), video.width, video.height):
                if len(gap.frames) < 2:
                    continue
                guesses = gap.interpolate()
                places = _match(video, gap, guesses, describe, levels, size)
                for errors, guess in ((matched, places), (linear, guesses)):
                    errors.append(_errors(truth[number], gap, guess))
    return Found(np.concatenate(matched), np.concatenate(linear))


def _match(
    video: VideoReader, gap: Gap, guesses: np.ndarray, describe: Describe, levels: Sequence[int], size: float
) -> np.ndarray:
    crop = crop_of(gap, video.width, video.height, scaled_size=size, longest=_LONGEST_SIDE)
    last = int(gap.after.max())
    frames = video.frames(int(gap.frames[0]), last + 1)
    images = pad(np.stack([crop.cut(frame) for frame in frames]))
    maps = describe(torch.from_numpy(images).permute(0, 3, 1, 2).float())
    anchors = torch.from_numpy(np.stack([crop.to_crop(gap.begin), crop.to_crop(gap.end)])).float()  # (2, K, 2)
    rows = torch.tensor([0, len(images) - 1])[:, None].expand(anchors.shape[:2])
    elapsed = torch.from_numpy((gap.frames - gap.frames[0]) / (last - gap.frames[0])).float()[:, None, None, None]
    height, width = images.shape[1:3]
    grid = torch.stack(
        torch.meshgrid(torch.arange(0, width, _GRID), torch.arange(0, height, _GRID), indexing="xy"), dim=-1
    ).float()
    total = torch.zeros(len(gap.frames), anchors.shape[1], *grid.shape[:2])
    for level, stride in zip(maps, STRIDES, strict=True):
        if stride not in levels:
            continue
        template = F.normalize(descriptors(level, rows, anchors, stride, 0)[..., 0, :].float(), dim=-1)  # (2, K, C)
        like = torch.einsum("thwc,akc->atkhw", level[: len(gap.frames)].float(), template)
        mixed = torch.lerp(like[0], like[1], elapsed)
        place = (grid + 0.5) / torch.tensor([width, height]) * 2 - 1
        total += F.grid_sample(
            mixed, place.expand(len(mixed), *place.shape), align_corners=False, padding_mode="border"
        )
    centre = torch.from_numpy(crop.to_crop(guesses)).float()[:, :, None, None]
    far = (grid - centre).norm(dim=-1) > REACH * gap.size * float(crop.scale.mean())
    best = total.masked_fill(far, -torch.inf).flatten(2).argmax(dim=-1)
    return crop.to_frame(grid.flatten(0, 1)[best].double().numpy())


def _errors(truth: Track, gap: Gap, guess: np.ndarray) -> np.ndarray:
    true = truth.select(np.isin(truth.frames, gap.frames))
    rows = np.isin(gap.frames, true.frames) & (gap.frames != gap.frames[0])
    true = true.select(true.frames != gap.frames[0])
    seen = true.visibility > 0
    spread = np.where(seen[..., None], true.xy, np.nan)
    diagonal = np.linalg.norm(np.nanmax(spread, axis=1) - np.nanmin(spread, axis=1), axis=-1)
    errors = np.linalg.norm(guess[rows] - true.xy, axis=-1) / diagonal[:, None]
    capped: np.ndarray = np.minimum(1.0, errors[seen])
    return capped


def _backbones(wish: argparse.Namespace) -> dict[str, Describe]:
    found: dict[str, Describe] = {}
    for path in wish.checkpoint:
        found[f"checkpoint {path.stem}"] = checkpoints.load(path).describe
    for path in wish.weights:
        # Untrained, the pyramid is a rotation of the network's maps: what is compared are these themselves.
        trunk = LitePyramid(LitePyramidConfig(), EfficientNetLite.from_package(path)).eval().trunk
        found[path.stem] = lambda images, trunk=trunk: [
            F.normalize(level, dim=1).permute(0, 2, 3, 1) for level in trunk(images)
        ]
    return found


@torch.inference_mode()
def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with truth on every frame")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="of stdpose; may be repeated")
    parser.add_argument("--weights", type=Path, action="append", default=[], help="of EfficientNet-Lite0")
    parser.add_argument("--every", type=int, default=20, help="frames from one keyframe to the next")
    parser.add_argument("--sizes", default="120", help="pixels that subjects are scaled to")
    parser.add_argument("--clips", type=int, default=20, help="so many clips, the first by name")
    parser.add_argument("--levels", default="4,8,16,4+8+16", help="strides that count together")
    wish = parser.parse_args()
    clips = list(find(wish.data))[: wish.clips]
    print(
        "# What descriptors alone can tell\n\n"
        "| descriptors | size | strides | error over linear | PCK@0.05 | linear's |\n|---|---|---|---|---|---|"
    )
    for name, describe in _backbones(wish).items():
        for size in map(float, wish.sizes.split(",")):
            for levels in wish.levels.split(","):
                chosen = [int(stride) for stride in levels.split("+")]
                results = [search(clip, describe, chosen, wish.every, size) for clip in clips]
                matched, linear = (np.concatenate([getattr(r, n) for r in results]) for n in ("matched", "linear"))
                ratio = np.mean([r.matched.mean() for r in results]) / np.mean([r.linear.mean() for r in results])
                print(
                    f"| {name} | {size:.0f} | {levels} | {ratio:.3f} | {(matched <= 0.05).mean():.1%} "
                    f"| {(linear <= 0.05).mean():.1%} |",
                    flush=True,
                )
    print(
        f"\n{len(clips)} clips, a keyframe every {wish.every} frames. {os.cpu_count()} cores ({platform.machine()}), "
        f"PyTorch {torch.__version__}."
    )


if __name__ == "__main__":
    main()
