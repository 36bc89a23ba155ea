"""How fast the estimators learn and estimate, beside the backbone alone, which is the limit for that backbone.

Run ``python -m benchmarks.estimator_speed > benchmarks/results/estimator_speed.md``; ``--presets small,base,large,huge
--batch 1 --frames 4 --rounds 1`` measures the others in bearable time on a CPU, ``--device cuda`` on a GPU. What is
compared is measured by turns; each figure is the median of the rounds. With ``--switches``, STDPose with what is off in
training and estimating: weights in channels-last order, ``torch.compile``.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from benchmarks.peak_memory import peak_mb
from models.compute.devices import Compute, Precision, choose
from models.estimators.estimator import Estimator
from models.estimators.losses import Truth, losses
from models.estimators.presets import ESTIMATORS, RANDOM, build, configure

POINTS = 17
EDGES = torch.tensor([[0, 1], [1, 2]])
SWITCHES = ("as shipped", "channels-last", "`torch.compile`")


@dataclass(frozen=True)
class Load:
    """How much is measured.

    Args:
        batch: Clips of a training step, and frames encoded at once.
        frames: Of a video, in inference.
        rounds: Times each is measured.
    """

    batch: int
    frames: int
    rounds: int


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def by_turns(works: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, float]:
    """Medians of the seconds that each takes; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(rounds + 1):
        for name, work in works.items():
            spent = seconds(work, device)
            if turn:
                taken[name].append(spent)
    return {name: median(each) for name, each in taken.items()}


def learning(network: Estimator, load: Load, compute: Compute) -> Callable[[], None]:
    """A training step."""
    config, device = network.config, compute.device
    network.advance(1.0)
    optimizer = torch.optim.AdamW(network.parameters())
    shape = (load.batch, config.frames)
    frames = 255 * torch.rand(*shape, 3, config.height, config.width, device=device)
    truth = Truth(torch.rand(*shape, POINTS, 2, device=device) * 100, torch.ones(*shape, POINTS, device=device))

    def step() -> None:
        network.train()
        with compute.autocast():
            output = network(frames)
        total = sum(losses(output, truth, EDGES).values(), torch.zeros((), device=device))
        total.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def estimating(network: Estimator, load: Load, compute: Compute, *, alone: bool = False) -> Callable[[], None]:
    """The frames of a video: each encoded once, then related to those around it; or the backbone ``alone``."""
    config, device = network.config, compute.device
    frames = 255 * torch.rand(load.frames, 3, config.height, config.width, device=device)
    rows = torch.arange(load.frames, device=device)[:, None] + torch.tensor(config.deltas, device=device)
    rows = rows.clamp(0, load.frames - 1)

    @torch.inference_mode()
    def go() -> None:
        network.eval()
        with compute.autocast():
            parts = []
            for at in range(0, load.frames, load.batch):
                some = frames[at : at + load.batch]
                parts.append(network.backbone(some) if alone else network.encode(some))
            if not alone:
                features = parts[0].joined(parts)
                for at in range(0, load.frames, load.batch):
                    network.relate(features, rows[at : at + load.batch])

    return go


def switched(name: str, preset: str, load: Load, device: torch.device) -> None:
    """Print how much faster an estimator gets by each switch, in bfloat16 as it is used."""
    config = configure(name, preset, POINTS)
    works = {}
    for switch in SWITCHES:
        network = build(name, config, pretrained=RANDOM).to(device)
        if switch == "channels-last":
            network = network.to(memory_format=torch.channels_last)
        if switch == "`torch.compile`":  # encode and relate are called by themselves, and not always with equal shapes
            for part in ("forward", "encode", "relate"):
                setattr(network, part, torch.compile(getattr(network, part)))
        works[f"learn {switch}"] = learning(network, load, Compute(device, "bf16"))
        works[f"all {switch}"] = estimating(network, load, Compute(device, "bf16"))
    taken = by_turns(works, load.rounds, device)
    print(f"### `{name}` in bfloat16 with switches\n")
    print(f"| switch | clips/s learnt | frames/s estimated | times as fast, learnt / estimated |\n|{'---|' * 4}")
    for switch in SWITCHES:
        spent = [taken[f"{what} {switch}"] for what in ("learn", "all")]
        gains = [taken[f"{what} {SWITCHES[0]}"] / own for what, own in zip(("learn", "all"), spent, strict=True)]
        cells = f"{load.batch / spent[0]:.3g} | {load.frames / spent[1]:.3g} | {gains[0]:.2f} / {gains[1]:.2f}"
        print(f"| {switch} | {cells} |", flush=True)
    print()


def compared(name: str, preset: str, load: Load, device: torch.device) -> None:
    """Print one estimator's row."""
    network = build(name, configure(name, preset, POINTS), pretrained=RANDOM).to(device)
    precisions: tuple[Precision, Precision] = ("fp32", "bf16")
    works: dict[str, Callable[[], object]] = {}
    for precision in precisions:
        compute = Compute(device, precision)
        works[f"learn {precision}"] = learning(network, load, compute)
        works[f"all {precision}"] = estimating(network, load, compute)
        works[f"backbone {precision}"] = estimating(network, load, compute, alone=True)
    taken = by_turns(works, load.rounds, device)
    learnt = [load.batch / taken[f"learn {precision}"] for precision in precisions]
    whole, alone = (
        [load.frames / taken[f"{what} {precision}"] for precision in precisions] for what in ("all", "backbone")
    )
    share = [one / other for one, other in zip(whole, alone, strict=True)]
    count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    cells = [" / ".join(f"{value:.3g}" for value in pair) for pair in (learnt, whole, alone)]
    print(f"| `{name}` | {count:.1f} M | {' | '.join(cells)} | {share[0]:.2f} / {share[1]:.2f} |", flush=True)


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--presets", default="tiny", help="from small to large, since peak memory only ever rises")
    parser.add_argument("--estimators", default=",".join(ESTIMATORS))
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--switches", action="store_true")
    wish = parser.parse_args()
    device, load = choose(wish.device).device, Load(wish.batch, wish.frames, wish.rounds)
    place = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print("# Speed of the estimators\n")
    print(f"Command: `python -m benchmarks.estimator_speed {' '.join(sys.argv[1:])}`\n")
    print(
        f"{platform.machine()}, {place}, PyTorch {torch.__version__}. {load.batch} clips at a time, {POINTS} points, "
        f"medians of {load.rounds} rounds by turns. `share` is the speed of estimating over that of the backbone "
        "alone.\n"
    )
    for preset in wish.presets.split(","):
        print(f"## {preset}\n")
        print("| estimator | parameters | clips/s learnt, fp32 / bf16 | frames/s estimated, fp32 / bf16 ", end="")
        print(f"| backbone alone, frames/s, fp32 / bf16 | share, fp32 / bf16 |\n|{'---|' * 6}")
        for name in wish.estimators.split(","):
            compared(name, preset, load, device)
        print()
        if wish.switches:
            switched("stdpose", preset, load, device)
        if device.type == "cuda":
            print(f"Peak GPU memory {torch.cuda.max_memory_allocated() / 2**20:.0f} MB.")
        print(f"Peak memory of the process {peak_mb():.0f} MB.\n")


if __name__ == "__main__":
    main()
