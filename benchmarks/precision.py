"""What precision and waiting are worth on this machine's processor: describing frames, fitting, training an estimator.

Each row is a process of its own: instructions as the processor has them, or capped to AVX2, which is a stand-in for
processors without AVX512 (their caches and clocks differ); OpenMP's threads passive or active; alone, or beside three
busy processes. Both precisions are measured whichever is favoured. Times are medians of as many repeats as a few
seconds allow, on the wall and, in brackets, of the processor, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np

from models.compute.devices import choose
from models.compute.processor import Processor, share_of_machine

BUSY = 3
PRECISIONS = ("fp32", "bf16")
CAPPED = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
PARTS = {"describe": "describing 16 frames", "fit": "a step of fitting", "train": "a step of training"}

_CLIPS = 4
_LONGEST = 75.0  # seconds that a child may take; what it has not measured then is left out


def measured(work: Callable[[], object], seconds: float) -> tuple[float, float, int]:
    """Medians in ms, on the wall and of the processor, and how many repeats they are of; the first is not counted."""
    work()
    wall, own, end = [], [], time.monotonic() + seconds
    while not wall or (time.monotonic() < end and len(wall) < 50):
        began, used = time.monotonic(), time.process_time()
        work()
        wall.append(time.monotonic() - began)
        own.append(time.process_time() - used)
    return 1000 * median(wall), 1000 * median(own), len(wall)


def child(precision: str, seconds: float) -> None:
    """Measure everything in this process and print each part as a line of JSON."""
    import torch

    from models.compute.devices import Compute, use_threads

    use_threads()
    torch.manual_seed(0)
    compute = Compute(torch.device("cpu"), precision)  # type: ignore[arg-type]  # also where ``choose`` refuses it
    for name, work in (("describe", _describing), ("fit", _fitting), ("train", _training)):
        print(json.dumps({name: measured(work(compute), seconds)}), flush=True)


def _describing(compute: Any) -> Callable[[], object]:
    from models.stdpose import checkpoints
    from models.stdpose.descriptors import DescriptorExtractor
    from models.weights import TINY

    eye = DescriptorExtractor(checkpoints.load(TINY), compute, "", mirrored=False)
    images = np.random.default_rng(0).integers(0, 255, (16, 160, 160, 3), dtype=np.uint8)
    return lambda: [eye._describe(images[row : row + 1]) for row in range(len(images))]


def _fitting(compute: Any) -> Callable[[], object]:
    from models.adaptation.fitting import AdaptRecipe, FittingSubject, collect, fit, untrained
    from models.stdpose import checkpoints
    from models.weights import TINY
    from pose.frames import InMemoryFrames
    from pose.synthetic import Scene, SceneSpec

    scene = Scene(SceneSpec(seed=8, kind="person", num_frames=40, width=320, height=240, action="walk"))
    footage, truth = InMemoryFrames(np.stack(list(scene.frames()))), scene.tracks[1]
    labels = truth.select(np.arange(0, 40, 13))
    recipe = AdaptRecipe(steps=10_000)
    pseudo = replace(truth, score=np.full_like(truth.score, 0.8))
    examples = collect(footage, [FittingSubject(labels, pseudo)], recipe)
    steps = fit(untrained(checkpoints.load(TINY), truth.num_keypoints, recipe), examples, recipe, compute)
    return lambda: next(steps)


def _training(compute: Any) -> Callable[[], object]:
    import torch

    from models.estimators.losses import Truth, losses
    from models.estimators.presets import RANDOM, build, configure

    points = 12
    config = configure("stdpose", "tiny", points)
    network = build("stdpose", config, pretrained=RANDOM).train()
    network.advance(1.0)
    optimizer = torch.optim.AdamW(network.parameters())
    shape = (_CLIPS, config.frames)
    frames = 255 * torch.rand(*shape, 3, config.height, config.width)
    truth = Truth(torch.rand(*shape, points, 2) * 100, torch.ones(*shape, points))
    edges = torch.tensor([[0, 1], [1, 2]])

    def step() -> None:
        with compute.autocast():
            output = network(frames)
        sum(losses(output, truth, edges).values(), torch.zeros(())).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Processes that compute all the time, for the length of a block."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def row(precision: str, policy: str, cap: dict[str, str], others: int, seconds: float) -> dict[str, Any]:
    """What a child measures, as far as it gets."""
    command = [sys.executable, "-m", "benchmarks.precision", "--child", precision, "--seconds", str(seconds)]
    # Active means that threads spin for ever, which is harsher than GNU OpenMP's default of spinning for a while.
    spinning = {} if policy == "PASSIVE" else {"GOMP_SPINCOUNT": "INFINITE"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment = {**kept, **cap, "OMP_WAIT_POLICY": policy, **spinning}
    with busy(others):
        try:
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=_LONGEST)
            said = done.stdout
        except subprocess.TimeoutExpired as error:
            said = error.stdout or b""
    found: dict[str, Any] = {}
    for line in said.splitlines():
        found |= json.loads(line)
    return found


def _cells(found: dict[str, dict[str, Any]], part: str) -> str:
    fp32, bf16 = (found[precision].get(part) for precision in PRECISIONS)
    shown = ["—" if one is None else f"{one[0]:.0f} ({one[1]:.0f})" for one in (fp32, bf16)]
    return f"{shown[0]} | {shown[1]} | {bf16[1] / fp32[1]:.2f}" if fp32 and bf16 else f"{shown[0]} | {shown[1]} | —"


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each part of each row")
    parser.add_argument("--child", choices=PRECISIONS)
    wish = parser.parse_args()
    if wish.child:
        child(wish.child, wish.seconds)
        return
    processor, share, chosen = Processor.here(), share_of_machine(), choose("cpu")
    print("# Precision and waiting\n\n`python -m benchmarks.precision`\n")
    print(f"{processor.name}, {share.threads} cores; {' '.join(processor.telling_flags)}. ", end="")
    print(f"`auto` is {chosen.precision} here, {chosen.to_learn().precision} to learn. ", end="")
    print(f"Load average before: {os.getloadavg()[0]:.1f}.\n")
    print("Times are ms on the wall, and of the processor in brackets; the ratio is of the latter, bf16 over fp32.")
    print("A dash is what was not measured in 75 seconds, which emulation may take.")
    print(
        "`active` is `GOMP_SPINCOUNT=INFINITE`: threads spin for ever, which is harsher than GNU OpenMP's default",
        end="",
    )
    print(" of spinning for a while.")
    print("`AVX2` is the same processor kept from AVX512: a stand-in for processors without it, not one of them.\n")
    heads = " | ".join(f"{name}, fp32 | bf16 | ratio" for name in PARTS.values())
    print(f"| instructions | threads wait | beside | {heads} |\n|{'---|' * (3 + 3 * len(PARTS))}", flush=True)
    for title, cap in (("all", {}), ("AVX2", CAPPED)):
        for policy in ("PASSIVE", "ACTIVE"):
            for others in (0, BUSY):
                found = {one: row(one, policy, cap, others, wish.seconds) for one in PRECISIONS}
                beside = f"{others} busy processes" if others else "nothing"
                cells = " | ".join(_cells(found, part) for part in PARTS)
                print(f"| {title} | {policy.lower()} | {beside} | {cells} |", flush=True)
    print(f"\nLoad average after: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
