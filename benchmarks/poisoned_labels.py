"""Whether the promotion gate refuses an estimator that learnt from poisoned pseudo-labels.

Run ``python -m benchmarks.poisoned_labels --folder DIR > benchmarks/results/poisoned_labels.md``. A checkpoint is
trained on sparse labels of rendered people. It is then retrained on these with pseudo-labels that ``stdpose``
propagated, once as they are and once with one keypoint 15 pixels off, to one side, on 30 % of the frames. Both are held
against the first checkpoint, and the poisoned against the clean one, on people that none has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.kept_training import trained
from benchmarks.label_economy import expanded, sparse
from benchmarks.rendered_people import people
from models.estimators.checkpoints import load
from models.evaluation import Judged, gate
from models.training.clips import Clips
from models.training.subjects import Subject
from models.training.train import TrainConfig
from models.training.validation import predict
from pose.skeleton import Skeleton
from pose.track import Track

LEARNT, ASIDE, TESTED = 60, 8, 40  # videos
SHIFT, SHARE = 15.0, 0.3
KEYPOINTS = ("left_wrist", "right_knee", "nose")


def poisoned(subject: Subject, keypoint: int, rng: np.random.Generator) -> Subject:
    """Pseudo-labels of one keypoint off on some frames; labels of people stay what they are."""
    human = np.isin(subject.track.frames, sparse(subject).track.frames)
    struck = (rng.random(len(human)) < SHARE) & ~human
    xy = subject.track.xy.copy()
    xy[struck, keypoint, 0] += SHIFT
    return replace(subject, track=replace(subject.track, xy=xy))


def judged(checkpoint: Path, skeleton: Skeleton, tested: Sequence[Subject], store: Path) -> list[Judged]:
    """What a checkpoint says of the people that none has seen."""
    loaded = load(checkpoint, skeleton)
    found, _ = predict(loaded.estimator, Clips(tested, skeleton, loaded.estimator.config, store), torch.device("cpu"))
    guesses = []
    for subject, xy in zip(tested, found, strict=True):
        known = np.isfinite(xy).all(axis=-1)
        points = np.concatenate([np.nan_to_num(xy), 2.0 * known[..., None]], axis=-1)
        guesses.append(Judged(f"{subject.name}/1", subject.track, Track.labelled(subject.track.frames, points)))
    return guesses


def main() -> None:
    """Train what is missing and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=600, help="of the first checkpoint; each other gets half as many")
    parser.add_argument("--seeds", type=int, default=2)
    wish = parser.parse_args()
    torch.set_num_threads(1)
    skeleton, every = people(wish.folder / "videos", 0, LEARNT + ASIDE + TESTED)
    learnt, aside, tested = every[:LEARNT], every[LEARNT : LEARNT + ASIDE], every[LEARNT + ASIDE :]
    dense = [expanded(subject) for subject in learnt]
    print("# Poisoned pseudo-labels at the promotion gate\n")
    print(f"Command: `python -m benchmarks.poisoned_labels --folder DIR --steps {wish.steps} --seeds {wish.seeds}`\n")
    print(f"One keypoint {SHIFT:g} pixels off on {100 * SHARE:g} % of the frames that nobody labelled.\n")
    print("| seed | poisoned | candidate | against | promoted | gain, % of the box diagonal | what the gate says |")
    print("|---|---|---|---|---|---|---|")
    for seed in range(wish.seeds):
        config = TrainConfig(epochs=6, clips=wish.steps * 16 // 6, patience=0, seed=seed, device="cpu", workers=1)
        again = replace(config, epochs=3)
        place = wish.folder / "poisoned" / f"{wish.steps}-{seed}"
        base = place / "first" / "best.safetensors"
        trained(base.parent, config, skeleton, [sparse(subject) for subject in learnt], aside, tested)
        first = judged(base, skeleton, tested, place / "stills")
        trained(place / "clean", again, skeleton, dense, aside, tested, base)
        clean = judged(place / "clean" / "best.safetensors", skeleton, tested, place / "stills")
        row(seed, "", "clean", "first", clean, first)
        for name in KEYPOINTS:
            rng = np.random.default_rng((seed, skeleton.keypoints.index(name)))
            bad = [poisoned(subject, skeleton.keypoints.index(name), rng) for subject in dense]
            trained(place / name, again, skeleton, bad, aside, tested, base)
            candidate = judged(place / name / "best.safetensors", skeleton, tested, place / "stills")
            row(seed, name, "poisoned", "first", candidate, first)
            row(seed, name, "poisoned", "clean", candidate, clean)


def row(
    seed: int, keypoint: str, what: str, against: str, candidate: Sequence[Judged], current: Sequence[Judged]
) -> None:
    """Print what the gate says of one pair."""
    verdict = gate(candidate, current, seed=seed)
    gain = f"{100 * verdict.gain:.2f} [{100 * verdict.low:.2f}, {100 * verdict.high:.2f}]"
    said = "yes" if verdict.promoted else "no"
    print(f"| {seed} | {keypoint} | {what} | {against} | {said} | {gain} | {verdict.reason} |", flush=True)


if __name__ == "__main__":
    main()
