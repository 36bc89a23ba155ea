"""The engines that benchmarks compare: those of the product, and ``stdpose`` with a part taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.consensus import consensus
from models.adaptation.adaptation import Adaptation
from models.engines.engine import Engine
from models.engines.flow import PARTS, Flow
from models.engines.linear import Linear
from models.people.detector import with_people
from models.stdpose import checkpoints
from models.stdpose.candidates import SOURCES
from models.stdpose.engine import Ablation, StdPoseEngine
from models.stdpose.network import StdPose
from models.weights import TINY
from pose.frames import FrameSource
from pose.track import Track

#: What each variant of ``stdpose`` leaves out; the network is trained with all of it.
ABLATIONS = {
    "mask off": "the dynamic-aware mask lets everything through",
    "synthesis off": "heat maps are not mixed over time",
    "hedge off": "flow has no share in the result but what the verifier gives it",
    "consensus": "candidates that agree are averaged, by their own error bars, in place of the verifier",
    "fusion off": "the refinement of flow is the result",
    "linear off": "linear interpolation is no candidate, nor is its refinement",
    "mirror on": "mirrored frames are refined too, which are candidates of their own",
    "flow off": "neither flow nor its parts are candidates, its refinement is",
}

NAMES = ("linear", "flow", "stdpose", "stdpose adapted", "stdpose people", "stdpose people adapted", *ABLATIONS)


def build(
    name: str,
    video: FrameSource,
    keyframes: Mapping[int, Track],
    checkpoint: Path | None = None,
    keypoints: Sequence[str] = (),
) -> Engine:
    """An engine by its name in ``NAMES``; adapted ones are fitted to the video and the labels.

    Args:
        name: Which.
        video: The frames.
        keyframes: Labels by track id.
        checkpoint: Weights of ``stdpose``, where not those of the package.
        keypoints: Names, which those ask for that know people.

    Raises:
        KeyError: There is no such engine.
        CheckpointError: The keypoints are not those of a person, for one that knows people.
    """
    path = checkpoint or TINY
    match name:
        case "linear":
            return Linear()
        case "flow":
            return Flow()
        case "stdpose":
            return StdPoseEngine.from_checkpoint(path)
        case "stdpose adapted":
            return _adapted(StdPoseEngine.from_checkpoint(path), video, keyframes)
        case "stdpose people":
            return with_people(StdPoseEngine.from_checkpoint(path), keypoints)
        case "stdpose people adapted":
            return _adapted(with_people(StdPoseEngine.from_checkpoint(path), keypoints), video, keyframes)
        case "mask off" | "synthesis off":
            return StdPoseEngine(_without(checkpoints.load(path), name.removesuffix(" off")))
    return StdPoseEngine.from_checkpoint(path, ablation=_CHOICES[name])


_CHOICES = {
    "hedge off": Ablation(hedged=False),
    "consensus": Ablation(judge=consensus, hedged=False),
    "fusion off": Ablation(without=frozenset(SOURCES) - {"from_flow"}, hedged=False),
    "linear off": Ablation(without=frozenset({"linear", "from_linear", "from_linear_mirrored"})),
    "mirror on": Ablation(mirrored=True),
    "flow off": Ablation(without=frozenset({*PARTS[1:], "flow"}), hedged=False),
}


def _adapted(engine: StdPoseEngine, video: FrameSource, keyframes: Mapping[int, Track]) -> Engine:
    fitting = Adaptation(engine, video, keyframes)
    for _ in fitting:
        pass
    return fitting.engine


def _without(network: StdPose, part: str) -> StdPose:
    if part == "mask":
        network.mask = _Open()  # type: ignore[assignment]
    else:
        for parameter in network.synthesis.second.parameters():
            nn.init.zeros_(parameter)
    return network


class _Open(nn.Module):
    def forward(self, residuals: Tensor) -> Tensor:
        return torch.ones_like(residuals)
