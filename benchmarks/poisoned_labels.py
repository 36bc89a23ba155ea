"""Whether the promotion gate refuses an estimator that learnt from poisoned pseudo-labels.

Run ``python -m benchmarks.poisoned_labels --folder DIR > benchmarks/results/poisoned_labels.md``. A checkpoint is
trained on sparse labels of rendered people. It is then retrained on these with pseudo-labels that ``stdpose``
propagated, once as they are and once with one keypoint 15 pixels off, to one side, on 30 % of the frames. Both are held
against the first checkpoint, and the poisoned against the clean one, on videos that none has seen.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.kept_training import short, trained
from benchmarks.label_economy import expanded, sparse
from benchmarks.rendered_people import people
from models.estimators.checkpoints import load
from models.evaluation import LabelledPrediction, TrainingFit, gate
from models.evaluation.pseudo_labels import farthest_offset
from models.training.clips import Clips
from models.training.subjects import Subject
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


def judged(checkpoint: Path, skeleton: Skeleton, subjects: Sequence[Subject], store: Path) -> list[LabelledPrediction]:
    """What a checkpoint sees where there are labels."""
    loaded = load(checkpoint, skeleton)
    found, _ = predict(loaded.estimator, Clips(subjects, skeleton, loaded.estimator.config, store), torch.device("cpu"))
    guesses = []
    for subject, xy in zip(subjects, found, strict=True):
        known = np.isfinite(xy).all(axis=-1)
        points = np.concatenate([np.nan_to_num(xy), 2.0 * known[..., None]], axis=-1)
        guesses.append(
            LabelledPrediction(f"{subject.name}/1", subject.track, Track.labelled(subject.track.frames, points))
        )
    return guesses


def main() -> None:
    """Train what is missing and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--estimator", default="single_frame")
    parser.add_argument("--steps", type=int, default=1200, help="of the first checkpoint; each other gets half as many")
    parser.add_argument("--seeds", type=int, default=2)
    wish = parser.parse_args()
    torch.set_num_threads(1)
    skeleton, every = people(wish.folder / "videos", 0, LEARNT + ASIDE + TESTED)
    learnt, aside, tested = every[:LEARNT], every[LEARNT : LEARNT + ASIDE], every[LEARNT + ASIDE :]
    dense = [expanded(subject) for subject in learnt]
    print("# Poisoned pseudo-labels at the promotion gate\n")
    asked = f"--estimator {wish.estimator} --steps {wish.steps} --seeds {wish.seeds}"
    print(f"Command: `python -m benchmarks.poisoned_labels --folder DIR {asked}`\n")
    print(
        f"`{wish.estimator}` on {LEARNT} videos. One keypoint {SHIFT:g} pixels off on {100 * SHARE:g} % of the frames "
        "that nobody labelled. Gains in per cent of the box diagonal.\n"
    )
    print(
        "| seed | poisoned | against | promoted | gain | gain of that keypoint | pseudo-labels farthest to one side ",
        end="",
    )
    print("| what the gate says |\n|---|---|---|---|---|---|---|---|")
    for seed in range(wish.seeds):
        place = wish.folder / "poisoned" / f"{wish.estimator}-{wish.steps}-{seed}"
        base = place / "first" / "best.safetensors"
        config = short(wish.estimator, wish.steps, 4, seed)
        trained(base.parent, config, skeleton, [sparse(subject) for subject in learnt], aside, tested)
        first, clean = judged(base, skeleton, tested, place / "stills"), None
        for name in ("", *KEYPOINTS):
            labels = dense
            if name:
                rng = np.random.default_rng((seed, skeleton.keypoints.index(name)))
                labels = [poisoned(subject, skeleton.keypoints.index(name), rng) for subject in dense]
            made = place / (name or "clean")
            trained(made, short(wish.estimator, wish.steps // 2, 2, seed), skeleton, labels, aside, tested, base)
            best, weights = made / "best.safetensors", [subject.weight for subject in labels]
            seen = [
                TrainingFit(*each)
                for each in zip(judged(best, skeleton, labels, place / "stills"), weights, strict=True)
            ]
            candidate = judged(best, skeleton, tested, place / "stills")
            row(seed, name, "first", candidate, first, seen, skeleton)
            if clean is not None:
                row(seed, name, "clean", candidate, clean, seen, skeleton)
            clean = clean or candidate


def row(
    seed: int,
    keypoint: str,
    against: str,
    candidate: Sequence[LabelledPrediction],
    current: Sequence[LabelledPrediction],
    learnt: Sequence[TrainingFit],
    skeleton: Skeleton,
) -> None:
    """Print what the gate says of one pair."""
    verdict = gate(candidate, current, seed=seed, keypoints=skeleton.keypoints, learnt=learnt)
    gain = f"{100 * verdict.gain:.2f} [{100 * verdict.low:.2f}, {100 * verdict.high:.2f}]"
    own = ""
    if keypoint:
        errors = [error_of(each, skeleton.keypoints.index(keypoint)) for each in (current, candidate)]
        own = f"{100 * (errors[0] - errors[1]):.2f}"
    said = "yes" if verdict.promoted else "no"
    offset = farthest_offset(learnt, seed=seed)
    assert offset is not None
    aside = f"{skeleton.keypoints[offset.keypoint]} {100 * offset.mean:.2f}"
    cells = " | ".join([str(seed), keypoint or "nothing", against, said, gain, own, aside, verdict.reason])
    print(f"| {cells} |", flush=True)


def error_of(judged: Sequence[LabelledPrediction], keypoint: int) -> float:
    """Mean relative distance of one keypoint."""
    errors = [one.errors() for one in judged]
    return float(np.concatenate([each.errors[each.known[:, keypoint], keypoint] for each in errors]).mean())


if __name__ == "__main__":
    main()
