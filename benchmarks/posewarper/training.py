"""Train the baseline PoseWarper on the rendered clips that STDPose is trained on.

Run ``python -m benchmarks.posewarper.training --minutes 20 --backbone STDPOSE.safetensors --output FILE.safetensors``.
As in the paper, pairs of frames of one clip are drawn, a few frames apart, one of each counts as labelled, and the
backbone is frozen; without ``--backbone`` there is none to freeze, and it learns along. The paper's frames are real and
sparsely labelled; these are rendered and their truth is exact.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.posewarper.network import PoseWarper, PoseWarperConfig, backbone_of, decode, heatmap_loss, save
from models.compute.devices import choose
from models.pretraining.clip_inputs import as_input
from models.pretraining.clip_stream import Position, stream
from models.pretraining.clips import Clip, true_weight
from models.pretraining.validation import validation_clips

#: Frames from the labelled one, at most. Rendered subjects move less from frame to frame than those of PoseTrack.
FARTHEST = 6

_LINE_EVERY = 25
_SAVE_SECONDS = 120.0
_VALIDATION_CLIPS = 24
_VALIDATION_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the network is trained.

    Args:
        seed: Everything random follows from it.
        minutes: Time to spend, not counting the wait for clips; the schedule follows the clock.
        steps: Steps to take instead, which repeats bit for bit on one machine; 0 leaves the end to ``minutes``.
        pairs: Of frames, drawn from the one clip of a step.
        keypoints: Of a pair, at most.
        rate: Peak learning rate of AdamW.
    """

    seed: int = 0
    minutes: float = 20.0
    steps: int = 0
    pairs: int = 4
    keypoints: int = 8
    rate: float = 1e-3


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of frames of one clip.

    Attributes:
        images: ``(2 P, 3, H, W)`` the labelled frames, then the others.
        label: ``(P, K, 2)`` crop pixels on the labelled frames.
        xy: ``(P, K, 2)`` truth on the others.
        weight: ``(P, K)`` how much each point counts; 0 where it is not labelled.
    """

    images: Tensor
    label: Tensor
    xy: Tensor
    weight: Tensor

    def __len__(self) -> int:
        return len(self.label)


def draw(rng: np.random.Generator, clip: Clip, pairs: int, keypoints: int) -> Pairs:
    """Pairs of frames up to ``FARTHEST`` frames apart, and some of the keypoints."""
    count = len(clip.xy)
    labelled = rng.integers(0, count, pairs)
    steps = rng.integers(1, FARTHEST + 1, pairs) * rng.choice((-1, 1), pairs)
    other = np.where((labelled + steps >= 0) & (labelled + steps < count), labelled + steps, labelled - steps)
    other = other.clip(0, count - 1)
    chosen = np.sort(rng.permutation(clip.xy.shape[1])[:keypoints])
    weight = true_weight(clip)[other] * (clip.visibility[labelled] > 0)
    return Pairs(
        images=as_input(clip.images[clip.window.times[np.concatenate([labelled, other])]]),
        label=torch.from_numpy(clip.xy[labelled][:, chosen]),
        xy=torch.from_numpy(clip.xy[other][:, chosen]),
        weight=torch.from_numpy(weight[:, chosen].astype(np.float32)),
    )


def warp(network: PoseWarper, pairs: Pairs, *, describe: bool = True) -> Tensor:
    """Heat maps ``(P, K, h, w)`` of the labels on the other frames; the backbone learns only where ``describe``."""
    with choose("cpu").autocast():
        with torch.set_grad_enabled(describe and torch.is_grad_enabled()):
            maps = network.describe(pairs.images)
        count = len(pairs)
        heatmaps: Tensor = network(tuple(m[:count] for m in maps), tuple(m[count:] for m in maps), pairs.label)
    return heatmaps.float()


def train(network: PoseWarper, recipe: Recipe, *, freeze: bool) -> Iterator[tuple[int, float, float]]:
    """Train in place.

    Yields:
        After each step its number, the loss, and the share of the training that is done.

    Raises:
        FloatingPointError: The loss is no longer a number.
    """
    learning = [p for name, p in network.named_parameters() if not (freeze and name.startswith("backbone."))]
    optimizer = torch.optim.AdamW(learning, lr=recipe.rate, weight_decay=1e-4)
    source = stream(recipe.seed, Position())
    step, done, seconds = 0, 0.0, 0.0
    try:
        for clip, _ in source:
            began = time.perf_counter()
            rate = recipe.rate * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))
            optimizer.param_groups[0]["lr"] = rate
            pairs = draw(np.random.default_rng((recipe.seed, step)), clip, recipe.pairs, recipe.keypoints)
            warped = warp(network, pairs, describe=not freeze)
            loss = heatmap_loss(warped, pairs.xy, pairs.weight, network.config.sigma)
            optimizer.zero_grad(set_to_none=True)
            if not bool(torch.isfinite(loss)):
                raise FloatingPointError(f"the loss is {float(loss.detach())} in step {step + 1}")
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            step += 1
            seconds += time.perf_counter() - began
            done = min(1.0, step / recipe.steps if recipe.steps else seconds / (60 * recipe.minutes))
            yield step, float(loss.detach()), done
            if done >= 1:
                return
    finally:
        source.close()  # type: ignore[attr-defined]


@torch.inference_mode()
def validate(network: PoseWarper, held_out: Sequence[Clip]) -> tuple[float, float]:
    """Mean distances from the truth, in shares of the subject's size: of warped labels, and of labels left in place."""
    ours, still, weights = [], [], []
    for number, clip in enumerate(held_out):
        pairs = draw(np.random.default_rng((_VALIDATION_SEED, number)), clip, 4, clip.xy.shape[1])
        found, _ = decode(warp(network, pairs), network.config.sigma)
        ours.append(((found - pairs.xy).norm(dim=-1) / clip.size).flatten())
        still.append(((pairs.label - pairs.xy).norm(dim=-1) / clip.size).flatten())
        weights.append((pairs.weight > 0).flatten())
    counted = torch.cat(weights)
    return float(torch.cat(ours)[counted].mean()), float(torch.cat(still)[counted].mean())


def main() -> None:
    """Train, validate, and write a checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="checkpoint to write, ….safetensors")
    parser.add_argument("--backbone", type=Path, help="checkpoint of stdpose whose backbone is taken over and frozen")
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--steps", type=int, default=0, help="steps to take instead")
    parser.add_argument("--seed", type=int, default=0)
    wish = parser.parse_args()
    recipe = Recipe(seed=wish.seed, minutes=wish.minutes, steps=wish.steps)
    torch.manual_seed(recipe.seed)
    backbone = backbone_of(wish.backbone) if wish.backbone else None
    network = PoseWarper(PoseWarperConfig(backbone=backbone.config) if backbone else None)
    if backbone:
        network.backbone = backbone
    losses: list[float] = []
    began = saved = time.perf_counter()
    about = {
        "recipe": asdict(recipe),
        "backbone": wish.backbone.name if wish.backbone else None,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, PyTorch {torch.__version__}",
    }
    for step, loss, done in train(network, recipe, freeze=backbone is not None):
        losses.append(loss)
        if step % _LINE_EVERY == 0 or done >= 1:
            minutes = (time.perf_counter() - began) / 60
            print(f"step {step} {minutes:.1f} min loss {np.mean(losses[-_LINE_EVERY:]):.3f}", flush=True)
        if time.perf_counter() - saved > _SAVE_SECONDS:
            save(wish.output, network, about | {"steps": step})
            saved = time.perf_counter()
    error, still = validate(network.eval(), validation_clips(_VALIDATION_CLIPS))
    print(f"error {error:.4f}, of labels left where they are {still:.4f}, in shares of the subject's size")
    figures = {"error": round(error, 5), "still": round(still, 5)}
    save(wish.output, network, about | {"steps": len(losses), "validation": figures})


if __name__ == "__main__":
    main()
