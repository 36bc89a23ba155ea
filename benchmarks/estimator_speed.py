"""How fast the estimators learn and estimate, beside the backbone alone, which is the limit for that backbone.

Run ``python -m benchmarks.estimator_speed > benchmarks/results/estimator_speed.md``; ``--device cuda --presets
small,base`` measures on a GPU. What is compared is measured by turns; each figure is the median of the rounds. Then one
estimator with switches that are off in training and estimating: weights in channels-last order, ``torch.compile``.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from statistics import median

import torch

from benchmarks.peak_memory import peak_mb
from models.devices import pick
from models.estimators.estimator import Estimator
from models.estimators.losses import Truth, losses
from models.estimators.presets import ESTIMATORS, build, configure

POINTS = 17
ROUNDS = 7
BATCH = 16
FRAMES = 64  # of a video, in inference
EDGES = torch.tensor([[0, 1], [1, 2]])
SWITCHES = ("as shipped", "channels-last", "`torch.compile`")


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def by_turns(works: dict[str, Callable[[], object]], device: torch.device) -> dict[str, float]:
    """Medians of the seconds that each takes; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(ROUNDS + 1):
        for name, work in works.items():
            spent = seconds(work, device)
            if turn:
                taken[name].append(spent)
    return {name: median(each) for name, each in taken.items()}


def learning(network: Estimator, device: torch.device, *, half: bool) -> Callable[[], None]:
    """A training step."""
    config = network.config
    network.advance(1.0)
    optimizer = torch.optim.AdamW(network.parameters())
    shape = (BATCH, config.frames)
    frames = 255 * torch.rand(*shape, 3, config.height, config.width, device=device)
    truth = Truth(torch.rand(*shape, POINTS, 2, device=device) * 100, torch.ones(*shape, POINTS, device=device))

    def step() -> None:
        network.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            output = network(frames)
        total = sum(losses(output, truth, EDGES).values(), torch.zeros((), device=device))
        total.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def estimating(network: Estimator, device: torch.device, *, half: bool, alone: bool) -> Callable[[], None]:
    """The frames of a video: each encoded once, then related to those around it; or the backbone ``alone``."""
    config = network.config
    frames = 255 * torch.rand(FRAMES, 3, config.height, config.width, device=device)
    rows = torch.arange(FRAMES, device=device)[:, None] + torch.tensor(config.deltas, device=device)
    rows = rows.clamp(0, FRAMES - 1)

    @torch.inference_mode()
    def go() -> None:
        network.eval()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            parts = []
            for at in range(0, FRAMES, BATCH):
                some = frames[at : at + BATCH]
                parts.append(network.backbone(some) if alone else network.encode(some))
            if not alone:
                features = parts[0].joined(parts)
                for at in range(0, FRAMES, BATCH):
                    network.relate(features, rows[at : at + BATCH])

    return go


def switched(name: str, preset: str, device: torch.device) -> None:
    """Print how much faster an estimator gets by each switch, in bfloat16 as it is used."""
    config = configure(name, preset, POINTS)
    works = {}
    for switch in SWITCHES:
        network = build(name, config, pretrained=None).to(device)
        if switch == "channels-last":
            network = network.to(memory_format=torch.channels_last)
        if switch == "`torch.compile`":  # encode and relate are called by themselves, and not always with equal shapes
            for part in ("forward", "encode", "relate"):
                setattr(network, part, torch.compile(getattr(network, part)))
        works[f"learn {switch}"] = learning(network, device, half=True)
        works[f"all {switch}"] = estimating(network, device, half=True, alone=False)
    taken = by_turns(works, device)
    print(f"### `{name}` in bfloat16 with switches\n")
    print(f"| switch | clips/s learnt | frames/s estimated | times as fast, learnt / estimated |\n|{'---|' * 4}")
    for switch in SWITCHES:
        spent = [taken[f"{what} {switch}"] for what in ("learn", "all")]
        gains = [taken[f"{what} {SWITCHES[0]}"] / own for what, own in zip(("learn", "all"), spent, strict=True)]
        cells = f"{BATCH / spent[0]:.0f} | {FRAMES / spent[1]:.0f} | {gains[0]:.2f} / {gains[1]:.2f}"
        print(f"| {switch} | {cells} |", flush=True)
    print()


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--presets", default="tiny")
    wish = parser.parse_args()
    device = pick(wish.device)
    place = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print("# Speed of the estimators\n")
    print(f"Command: `python -m benchmarks.estimator_speed --device {wish.device} --presets {wish.presets}`\n")
    print(
        f"{platform.machine()}, {place}, PyTorch {torch.__version__}. Clips of {BATCH} at a time, {POINTS} keypoints, "
        f"medians of {ROUNDS} rounds by turns. `share` is the speed of estimating over that of the backbone alone.\n"
    )
    halves = (False, True)
    for preset in wish.presets.split(","):
        print(f"## {preset}\n")
        print("| estimator | parameters | clips/s learnt, fp32 / bf16 | frames/s estimated, fp32 / bf16 ", end="")
        print(f"| backbone alone, frames/s, fp32 / bf16 | share, fp32 / bf16 |\n|{'---|' * 6}")
        for name in ESTIMATORS:
            network = build(name, configure(name, preset, POINTS), pretrained=None).to(device)
            taken = by_turns(
                {
                    **{f"learn {half}": learning(network, device, half=half) for half in halves},
                    **{f"all {half}": estimating(network, device, half=half, alone=False) for half in halves},
                    **{f"backbone {half}": estimating(network, device, half=half, alone=True) for half in halves},
                },
                device,
            )
            learnt = [BATCH / taken[f"learn {half}"] for half in halves]
            whole, alone = ([FRAMES / taken[f"{what} {half}"] for half in halves] for what in ("all", "backbone"))
            share = [one / other for one, other in zip(whole, alone, strict=True)]
            count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
            cells = [" / ".join(f"{value:.0f}" for value in pair) for pair in (learnt, whole, alone)]
            print(f"| `{name}` | {count:.1f} M | {' | '.join(cells)} | {share[0]:.2f} / {share[1]:.2f} |", flush=True)
        print()
        switched("stdpose", preset, device)
    if device.type == "cuda":
        print(f"Peak GPU memory {torch.cuda.max_memory_allocated() / 2**20:.0f} MB.")
    print(f"Peak memory of the process {peak_mb():.0f} MB.")


if __name__ == "__main__":
    main()
