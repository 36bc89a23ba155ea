"""STDPose as a pose estimator: spatiotemporal representation and motion dynamics of a clip.

From the paper (Jiao et al., *Spatiotemporal learning with dynamic-aware mask*, AAAI 2025, arXiv 2501.15073, known to us
in part): the dynamic-aware mask, a modified sigmoid of the differences of heat maps of neighbouring frames; temporal
feature fusion, visual tokens of all frames with a learnable position embedding; temporal keypoint synthesis, which
works on the heat maps of all frames; and an aggregation of that representation with the motion dynamics. Labels of
neighbouring frames enter as their heat maps, which we take from PoseWarper (Bertasius et al., NeurIPS 2019). Layers,
sizes and how the parts are joined are our reconstruction. The network that carries labels of any skeleton through a
video (``models.stdpose.network``) has the same parts in another form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.layers import GROUPS
from models.estimators.attention import CrossLayer, EncoderLayer, quiet
from models.estimators.estimator import Estimator, EstimatorConfig, Features, KnownLabels, PoseOutput
from models.stdpose.heatmaps import DynamicAwareMask

_OPEN = 3.0  # the gate's logit at first: nearly all of the representation, hardly any motion


@dataclass(frozen=True, kw_only=True)
class StdPoseEstimatorConfig(EstimatorConfig):
    """Size of a :class:`StdPoseEstimator`.

    Args:
        layers: Of temporal feature fusion; in the last, only the centre frame looks at the others.
        mask: Whether the dynamic-aware mask weighs the motion dynamics; for ablations.
        synthesis: Whether there is a branch of heat maps; for ablations.
        dynamics: Whether there is a branch of motion; for ablations.
    """

    layers: int = 1
    mask: bool = True
    synthesis: bool = True
    dynamics: bool = True


class StdPoseEstimator(Estimator):
    """STDPose for the keypoints of one skeleton."""

    initial_heatmaps = True
    config: StdPoseEstimatorConfig

    def __init__(self, config: StdPoseEstimatorConfig) -> None:
        super().__init__(config)
        channels = config.channels
        self.time = nn.Parameter(0.02 * torch.randn(config.frames, 1, channels))
        self.fusion = nn.ModuleList(EncoderLayer(channels, config.heads, config.drop) for _ in range(config.layers - 1))
        self.last_fusion = CrossLayer(channels, config.heads, config.drop)
        if config.synthesis:
            self.synthesis = KeypointSynthesis(config)
            self.joining = CrossLayer(channels, config.heads, config.drop)
        if config.dynamics:
            self.dynamics = MotionDynamics(config)
            self.gate = quiet(nn.Linear(2 * channels, channels))
            nn.init.constant_(self.gate.bias, _OPEN)

    def relate(self, features: Features, rows: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """See ``Estimator.relate``; heat maps of labels replace initial ones."""
        centre, apart = self.config.centre, features.tokens[rows]
        assert features.heatmaps is not None
        initial = features.heatmaps[rows]
        heatmaps = initial.detach()  # the initial ones learn from their own loss alone
        if labelled is not None:
            heatmaps = torch.where(labelled.known[..., None, None], labelled.heatmaps, heatmaps)
        tokens = (apart + self.time).flatten(1, 2)
        for layer in self.fusion:
            tokens = layer(tokens)
        tokens = self.last_fusion(tokens.unflatten(1, (self.config.frames, -1))[:, centre], tokens)
        if self.config.synthesis:
            tokens = self.joining(tokens, self.synthesis(heatmaps))
        if self.config.dynamics:
            motion = self.dynamics(apart, heatmaps)
            gate = torch.sigmoid(self.gate(torch.cat([tokens, motion], dim=-1)))
            tokens = gate * tokens + (1 - gate) * motion
        return PoseOutput(self.decode(tokens, features.fine[rows[:, centre]]), initial)


class KeypointSynthesis(nn.Module):
    """Temporal keypoint synthesis: heat maps of all frames, each keypoint's by itself, to tokens.

    The paper names the module and its input; the form, a grouped convolution over time and one over space, then patches
    of the stride of tokens, is our reconstruction.

    Args:
        config: Of the estimator.
    """

    def __init__(self, config: StdPoseEstimatorConfig) -> None:
        super().__init__()
        points = config.keypoints
        self.over_time = nn.Conv2d(points * config.frames, points, 3, padding=1, groups=points)
        self.over_space = nn.Conv2d(points, points, 3, padding=1, groups=points)
        patch = config.cells[0] // config.grid[0]
        self.patches = nn.Conv2d(points, config.channels, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(config.grid[0] * config.grid[1], config.channels))

    def forward(self, heatmaps: Tensor) -> Tensor:
        """``(B, T, K, h, w)`` to ``(B, N, C)``."""
        mixed = F.gelu(self._over_time(heatmaps))
        mixed = mixed + self.over_space(mixed)
        tokens: Tensor = self.patches(mixed).flatten(2).transpose(1, 2) + self.position
        return tokens

    def _over_time(self, heatmaps: Tensor) -> Tensor:
        """``over_time``, as a convolution of each frame's heat maps and a sum: CPUs take less than half as long."""
        series = heatmaps.transpose(1, 2).flatten(1, 2)  # a keypoint's frames side by side
        weight = self.over_time.weight.flatten(0, 1)[:, None]
        apart = F.conv2d(series, weight, padding=1, groups=len(weight))
        assert self.over_time.bias is not None
        mixed: Tensor = apart.unflatten(1, (-1, heatmaps.shape[1])).sum(2) + self.over_time.bias[:, None, None]
        return mixed


class MotionDynamics(nn.Module):
    """Changes of tokens from frame to frame, where the dynamic-aware mask sees movement.

    The mask is the paper's: ``1 / (1 + exp(-k (|x| - theta)))`` of the residuals of heat maps. Ours: the largest over
    keypoints and neighbours counts, and the mask of a token is the mean over its cells.

    Args:
        config: Of the estimator.
    """

    def __init__(self, config: StdPoseEstimatorConfig) -> None:
        super().__init__()
        channels, self.grid = config.channels, config.grid
        self.mask = DynamicAwareMask() if config.mask else None
        self.entering = nn.Conv2d((config.frames - 1) * channels, channels, 1)
        self.mixing = nn.Sequential(
            nn.GroupNorm(GROUPS, channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
            nn.GELU(),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(self, tokens: Tensor, heatmaps: Tensor) -> Tensor:
        """Tokens ``(B, T, N, C)`` and heat maps ``(B, T, K, h, w)`` to ``(B, N, C)``."""
        changes = (tokens[:, 1:] - tokens[:, :-1]).transpose(2, 3).flatten(1, 2)
        motion = self.entering(changes.unflatten(2, self.grid))
        if self.mask is not None:
            # The mask rises with a residual: that of the largest is the largest mask, and takes a fraction of the time.
            residuals = (heatmaps[:, 1:] - heatmaps[:, :-1]).flatten(1, 2)
            moving = self.mask(torch.maximum(residuals.amax(dim=1), -residuals.amin(dim=1)))
            motion = motion * F.adaptive_avg_pool2d(moving, self.grid)[:, None]
        motion = motion + self.mixing(motion)
        dynamics: Tensor = motion.flatten(2).transpose(1, 2)
        return dynamics
