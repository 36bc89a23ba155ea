"""The four estimators beside the single-frame baseline: rendered people behind things and in blur, equal training time.

Run ``python -m benchmarks.estimators --folder DIR > benchmarks/results/estimators.md``. Trainings take hours: each is
kept in DIR when it ends, and goes on where it stopped when the command is given again; ``--at-once 2`` trains two side
by side. Time is made equal by steps: how long a step of each network takes is measured first, by turns in one process,
and each gets as many steps as ``--minutes`` hold. As in the papers, whose networks all begin with one that was trained
to find poses in single pictures, all begin with the same one here: backbone, tokens and head, trained for
``--start-minutes``. What each adds to them begins anew, the layers of the baseline too.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shlex
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch

from benchmarks.kept_training import BATCH, longest_wait, short, trained
from benchmarks.rendered_people import FRAMES, people
from models.compute.devices import choose
from models.estimators.losses import Truth, losses
from models.estimators.presets import build, configure

TRAINED, VALIDATED, TESTED = 320, 16, 40  # videos
EVERY = 3  # frames one is labelled
EPOCHS = 8  # after each, what is kept aside is looked at
_START_SEED = 1000


@dataclass(frozen=True)
class Variant:
    """A network to train: an estimator, and what differs from its preset."""

    title: str
    estimator: str
    changes: tuple[tuple[str, Any], ...] = ()

    def name(self, seed: int, steps: int) -> str:
        """Of the folder that a training is kept in."""
        return "-".join([self.estimator, *(f"{key}={value}" for key, value in self.changes), f"{steps}", f"{seed}"])


START = Variant("start", "single_frame", (("layers", 0),))
MAIN = (
    Variant("single frame (baseline)", "single_frame"),
    Variant("STDPose", "stdpose"),
    Variant("Focused-Regions", "focused_regions"),
    Variant("CM-Pose", "cmpose"),
    Variant("JM-Pose", "jmpose"),
)
ABLATIONS = (
    Variant("STDPose, mask off", "stdpose", (("mask", False),)),
    Variant("STDPose, branch of heat maps off", "stdpose", (("synthesis", False),)),
    Variant("STDPose, motion dynamics off", "stdpose", (("dynamics", False),)),
    Variant("Focused-Regions, masks off", "focused_regions", (("masks", False),)),
    Variant("Focused-Regions, deformable attention off", "focused_regions", (("deformable", False),)),
    Variant("Focused-Regions, separation off", "focused_regions", (("separation", False),)),
    Variant("CM-Pose, auxiliary tasks off", "cmpose", (("mask_weight", 0.0), ("noise_weight", 0.0))),
    Variant("CM-Pose, selection and clustering off", "cmpose", (("selection", False),)),
    Variant("JM-Pose, mutual learning off", "jmpose", (("mutual", False),)),
    Variant("JM-Pose, orthogonality off", "jmpose", (("orthogonality", 0.0),)),
    Variant("JM-Pose, deformable convolution off", "jmpose", (("deformable", False),)),
)


def chosen(words: Sequence[str]) -> tuple[Variant, ...]:
    """Ablations whose title has one of the words, all where there are none."""
    return tuple(one for one in ABLATIONS if not words or any(word in one.title for word in words))


def step_seconds(variants: tuple[Variant, ...], points: int) -> dict[str, float]:
    """Processor seconds of a training step of each, backbone learning, by turns; medians of five."""
    torch.set_num_threads(1)
    compute = choose("cpu")
    found: dict[str, list[float]] = {variant.title: [] for variant in variants}
    for _ in range(6):
        for variant in variants:
            config = configure(variant.estimator, "tiny", points, **dict(variant.changes))
            network = build(variant.estimator, config).train()
            network.advance(1.0)
            optimizer = torch.optim.AdamW(network.parameters())
            shape = (BATCH, config.frames)
            frames = 255 * torch.rand(*shape, 3, config.height, config.width)
            truth = Truth(torch.rand(*shape, points, 2) * (config.width - 1), torch.ones(*shape, points))
            for _ in range(2):  # the first warms up
                began = time.process_time()
                with compute.autocast():
                    output = network(frames)
                sum(losses(output, truth, torch.tensor([[0, 1]])).values()).backward()  # type: ignore[union-attr]
                optimizer.step()
                optimizer.zero_grad()
                spent = time.process_time() - began
            found[variant.title].append(spent)
    return {title: median(each[1:]) for title, each in found.items()}


def begin(folder: Path, steps: int) -> Path:
    """The checkpoint that all networks begin with, trained unless it is there."""
    run(folder, START, _START_SEED, steps)
    return folder / "runs" / START.name(_START_SEED, steps) / "best.safetensors"


def run(folder: Path, variant: Variant, seed: int, steps: int, base: Path | None = None) -> dict[str, float]:
    """Train and test one network; a result that is there is read."""
    skeleton, every = people(folder / "videos", 0, TRAINED + VALIDATED + TESTED)
    config = short(variant.estimator, steps, EPOCHS, seed, **dict(variant.changes))
    learnt = [subject.select(np.arange(len(subject.track)) % EVERY == 0) for subject in every[:TRAINED]]
    aside, tested = every[TRAINED : TRAINED + VALIDATED], every[TRAINED + VALIDATED :]
    return trained(folder / "runs" / variant.name(seed, steps), config, skeleton, learnt, aside, tested, base)


def table(
    variants: tuple[Variant, ...], results: Mapping[tuple[str, int], Mapping[str, float]], steps: Mapping[str, int]
) -> None:
    """Print means over seeds, and the error with each seed."""
    figures = ("error", "visible", "hidden", "pck@0.05", "pck@0.1")
    print(f"| network | steps | {' | '.join(figures)} | error by seed |\n|{'---|' * (len(figures) + 3)}")
    for variant in variants:
        own = [result for (title, _), result in sorted(results.items()) if title == variant.title]
        cells = [f"{mean(result[figure] for result in own):.2f}" for figure in figures]
        errors = ", ".join(f"{result['error']:.2f}" for result in own)
        print(f"| {variant.title} | {steps[variant.title]} | {' | '.join(cells)} | {errors} |")


def main() -> None:
    """Train what is missing and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=12.0, help="of training for each network, on one thread")
    parser.add_argument("--start-minutes", type=float, default=12.0, help="of training for what all begin with")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument(
        "--ablations", nargs="*", help="train ablations too, with the first seed: all, or those with one of these words"
    )
    wish = parser.parse_args()
    ablations = () if wish.ablations is None else chosen(wish.ablations)
    variants = MAIN + ablations
    skeleton, _ = people(wish.folder / "videos", 0, TRAINED + VALIDATED + TESTED)
    kept = wish.folder / "step-seconds.json"
    if not kept.exists():
        kept.write_text(json.dumps(step_seconds((START, *MAIN, *ABLATIONS), skeleton.size)))
    seconds: dict[str, float] = json.loads(kept.read_text())
    steps = {title: round(60 * wish.minutes / each) for title, each in seconds.items()}
    start = begin(wish.folder, round(60 * wish.start_minutes / seconds[START.title]))
    wanted = [(one, seed) for seed in range(wish.seeds) for one in variants if one in MAIN or seed == 0]
    with ProcessPoolExecutor(wish.at_once, mp_context=multiprocessing.get_context("spawn")) as pool:
        runs = {
            (one.title, seed): pool.submit(run, wish.folder, one, seed, steps[one.title], start) for one, seed in wanted
        }
        results = {key: future.result() for key, future in runs.items()}
    print("# Estimators on rendered people behind things and in motion blur\n")
    asked = ["--minutes", f"{wish.minutes:g}", "--start-minutes", f"{wish.start_minutes:g}", "--seeds", str(wish.seeds)]
    asked += ["--ablations", *wish.ablations] if ablations else []
    print(f"Command: `python -m benchmarks.estimators --folder DIR {shlex.join(asked)}`\n")
    print(
        f"{TRAINED} videos of {FRAMES} frames to learn from, every third frame labelled, {VALIDATED} to choose the "
        f"epoch by, {TESTED} to test on. Preset `tiny`, one thread each; every network got the steps that fit into "
        f"{wish.minutes:g} minutes, and began with a backbone and head that had been trained for "
        f"{wish.start_minutes:g} on single frames. Errors are per cent of the box diagonal, PCK per cent of points.\n"
    )
    table(MAIN, results, steps)
    places = [wish.folder / "runs" / one.name(seed, steps[one.title]) for one, seed in wanted]
    waited = max(longest_wait(place) for place in places)
    print(f"\nNo epoch spent more than {100 * waited:.1f} % of its time waiting for clips.")
    if ablations:
        print("\n## Ablations, one seed\n")
        table(variants, {key: result for key, result in results.items() if key[1] == 0}, steps)


if __name__ == "__main__":
    main()
