"""Timing whether a processor computes faster in bfloat16, by small work of the kinds that networks do.

Instructions for bfloat16 do not tell: with AVX512-BF16 one processor describes frames in 0.7 of the time that fp32
takes, and another in 1.7 (``benchmarks/results/precision.md``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

#: bfloat16 is taken where it needs at most this share of the time of fp32: for less it is not worth its rounding.
WORTH = 0.85

_REPEATS = 8
_FRAMES, _CHANNELS, _SIDE = 1, 64, 40

Context = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Trial:
    """The time that bfloat16 takes, as a share of the time that fp32 takes.

    Attributes:
        infer: Without gradients.
        learn: With them.
    """

    infer: float
    learn: float


def compare(fp32: Context, bf16: Context) -> Trial:
    """Time both, in turn; takes a fraction of a second.

    What counts is the processor's time, on one thread, of the fastest of some repeats, which other work on the machine
    disturbs least.

    Args:
        fp32: Contexts in which PyTorch computes in fp32.
        bf16: In bfloat16.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return Trial(*(_ratio(fp32, bf16, learning=learning) for learning in (False, True)))
    finally:
        torch.set_num_threads(threads)


def _ratio(fp32: Context, bf16: Context, *, learning: bool) -> float:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        images = torch.randn(_FRAMES, _CHANNELS, _SIDE, _SIDE)
        weights = [
            (torch.randn(_CHANNELS, _CHANNELS, size, size) / (_CHANNELS * size**2) ** 0.5).requires_grad_()
            for size in (3, 1, 3)
        ]
    fastest = [float("inf")] * 2
    for repeat in range(_REPEATS + 1):
        for number, context in enumerate((fp32, bf16)):
            seconds = _seconds(images, weights, context, learning=learning)
            if repeat:  # the first prepares what is kept
                fastest[number] = min(fastest[number], seconds)
    return fastest[1] / max(fastest[0], 1e-9)


def _seconds(images: Tensor, weights: list[Tensor], context: Context, *, learning: bool) -> float:
    began = time.thread_time()
    with torch.set_grad_enabled(learning):
        with context():
            maps = images
            for weight in weights:
                maps = F.gelu(F.conv2d(maps, weight, padding=weight.shape[-1] // 2))
            loss = maps.float().square().mean()
        if learning:
            torch.autograd.grad(loss, weights)
    return time.thread_time() - began
