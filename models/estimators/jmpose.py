"""JM-Pose: what is known of joints and what is known of motion learn from each other.

From the paper (Wu et al., *Joint-motion mutual learning for pose estimation in videos*, ACM MM 2024, arXiv 2408.02285,
whose figures are known): heat maps and motion of the frames of a clip; the context-aware joint learner, a modulated
deformable convolution of the motion whose offsets and weights come from both; progressive joint-motion mutual learning,
blocks in which each stream attends to the other and both are gated; and the information-orthogonality objective,
``I(J; M) - I(M; H) + I(M; H | J)``, which removes what both streams share beyond what the task needs. Attention is
among channels, as in the authors' code. The motion is the difference of features, as an earlier draft has it: no
network of optical flow stands between. Number of blocks, channels, where the streams meet the head, and the objective
as a partial correlation are our reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.layers import Residual, enlarge
from models.estimators.deformable import ModulatedDeformConv
from models.estimators.estimator import Estimator, EstimatorConfig, Features, KnownLabels, PoseOutput

_OFFSET_DILATION = 3
_POOLED = 2  # cells, on each side, that count as one place where streams are compared
_RIDGE = 0.1


@dataclass(frozen=True, kw_only=True)
class JmPoseConfig(EstimatorConfig):
    """Size of a :class:`JmPose`.

    Args:
        stream: Channels of each stream, a multiple of 8 and of ``groups``.
        blocks: Of mutual learning.
        shrink: Cells of heat maps, on each side, to one of the streams'; the paper's streams are as fine as heat maps.
        groups: Groups of channels with offsets of their own.
        orthogonality: Weight of the information-orthogonality objective; 0 leaves it out.
        mutual: Whether streams attend to each other; for ablations.
        deformable: Whether the joint learner's convolution is deformable; for ablations.
    """

    stream: int = 32
    blocks: int = 2
    shrink: int = 2
    groups: int = 4
    orthogonality: float = 0.01
    mutual: bool = True
    deformable: bool = True


class JmPose(Estimator):
    """JM-Pose for the keypoints of one skeleton."""

    initial_heatmaps = True
    config: JmPoseConfig

    def __init__(self, config: JmPoseConfig) -> None:
        super().__init__(config)
        stream, width = config.stream, config.backbone.channels
        self.squeeze = nn.Conv2d(width, stream, 1)
        self.motion = nn.Conv2d((config.frames - 1) * stream, stream, 3, padding=1)
        self.joints = nn.Conv2d(config.frames * config.keypoints, stream, 3, padding=1)
        self.learner = JointLearner(config)
        self.blocks = nn.ModuleList(MutualBlock(config) for _ in range(config.blocks))
        last = nn.Conv2d(stream, width, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.leaving = nn.Sequential(Residual(2 * stream, stream, 1), last)

    def relate(self, features: Features, rows: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """See ``Estimator.relate``; labels are not looked at."""
        centre = self.config.centre
        assert features.heatmaps is not None
        initial, seen = features.heatmaps[rows], self._shrunk(self.squeeze(features.fine))[rows]
        others = [index for index in range(self.config.frames) if index != centre]
        motion = self.motion((seen[:, others] - seen[:, [centre]]).flatten(1, 2))
        heat = self.joints(self._shrunk(initial.detach().flatten(1, 2)))
        joint = self.learner(heat, motion)
        auxiliary = {}
        for number, block in enumerate(self.blocks, start=1):
            motion, joint = block(motion, joint)
            if self.config.orthogonality and self.training:
                loss = orthogonality(joint, motion, heat)
                auxiliary[f"orthogonality {number}"] = self.config.orthogonality * loss
        learnt, fine = self.leaving(torch.cat([motion, joint], dim=1)), features.fine[rows[:, centre]]
        if self.config.shrink > 1:
            learnt = enlarge(learnt, fine)
        return PoseOutput(self.decode(features.tokens[rows[:, centre]], fine + learnt), initial, auxiliary=auxiliary)

    def _shrunk(self, maps: Tensor) -> Tensor:
        return F.avg_pool2d(maps, self.config.shrink) if self.config.shrink > 1 else maps


class JointLearner(nn.Module):
    """Context-aware joint learner: motion sampled where heat maps and motion together say that joints are.

    Args:
        config: Of the estimator.
    """

    def __init__(self, config: JmPoseConfig) -> None:
        super().__init__()
        stream, self.groups = config.stream, config.groups
        self.deformable = config.deformable
        if not self.deformable:
            self.plain = nn.Conv2d(2 * stream, stream, 3, padding=1)
            return
        self.offsets, self.modulation = (
            nn.Conv2d(2 * stream, taps * config.groups, 3, padding=_OFFSET_DILATION, dilation=_OFFSET_DILATION)
            for taps in (18, 9)
        )
        for parameter in self.offsets.parameters():
            nn.init.zeros_(parameter)
        self.convolution = ModulatedDeformConv(stream, config.groups)

    def forward(self, heat: Tensor, motion: Tensor) -> Tensor:
        """Both ``(B, stream, h, w)`` to the joint stream, of the same shape."""
        context = torch.cat([heat, motion], dim=1)
        if not self.deformable:
            plain: Tensor = self.plain(context)
            return plain
        joint: Tensor = self.convolution(motion, self.offsets(context), torch.sigmoid(self.modulation(context)))
        return joint


class MutualBlock(nn.Module):
    """One step of mutual learning: each stream attends to the other, and gates keep what is needed of both.

    Args:
        config: Of the estimator.
    """

    def __init__(self, config: JmPoseConfig) -> None:
        super().__init__()
        stream, self.mutual = config.stream, config.mutual
        self.of_motion, self.of_joints = Residual(stream, stream, 1), Residual(stream, stream, 1)
        if self.mutual:
            self.to_motion, self.to_joints = ChannelAttention(stream), ChannelAttention(stream)
        self.gates = nn.Sequential(Residual(2 * stream, stream, 1), nn.Conv2d(stream, 2 * stream, 1))

    def forward(self, motion: Tensor, joint: Tensor) -> tuple[Tensor, Tensor]:
        """Both streams ``(B, stream, h, w)``, refined."""
        motion, joint = self.of_motion(motion), self.of_joints(joint)
        if self.mutual:
            motion, joint = motion + self.to_motion(motion, joint), joint + self.to_joints(joint, motion)
        gate_motion, gate_joint = torch.sigmoid(self.gates(torch.cat([motion, joint], dim=1))).chunk(2, dim=1)
        return gate_motion * motion, gate_joint * joint


class ChannelAttention(nn.Module):
    """Attention among channels: each is a token as long as the map has cells (Zamir et al., *Restormer*, CVPR 2022).

    Args:
        stream: Channels of both streams.
    """

    def __init__(self, stream: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(stream, stream, 3, padding=1, groups=stream)
        self.source = nn.Conv2d(stream, 2 * stream, 3, padding=1, groups=stream)
        self.temperature = nn.Parameter(torch.ones(()))
        self.leaving = nn.Conv2d(stream, stream, 1)

    def forward(self, asking: Tensor, source: Tensor) -> Tensor:
        """``(B, stream, h, w)`` looks at a source of the same shape."""
        query = F.normalize(self.query(asking).flatten(2).float(), dim=-1)
        key, value = self.source(source).flatten(2).chunk(2, dim=1)
        weight = (self.temperature * query @ F.normalize(key.float(), dim=-1).transpose(1, 2)).softmax(dim=-1)
        mixed: Tensor = self.leaving((weight.to(value.dtype) @ value).view_as(asking))
        return mixed


def orthogonality(joint: Tensor, motion: Tensor, heat: Tensor) -> Tensor:
    """Information that joints and motion share beyond the heat maps, from maps ``(B, stream, h, w)``: a scalar of 0 or
    more.

    The mean squared correlation between channels of both streams, over places and clips, after what a linear regression
    on the heat maps' stream explains of each is taken away. It stands in for the paper's mutual informations, which
    have no closed form: it is 0 where all that both share is what the task needs, and falls without either collapsing,
    since channels are standardised.
    """
    j, m, h = (
        _standardised(F.avg_pool2d(maps.float(), _POOLED).movedim(1, -1).flatten(0, 2))
        for maps in (joint, motion, heat)
    )
    ridge = _RIDGE * len(h) * torch.eye(h.shape[1], device=h.device)
    explained = torch.linalg.solve(h.T @ h + ridge, h.T)
    j, m = (_standardised(part - h @ (explained @ part)) for part in (j, m))
    return (j.T @ m / len(j)).square().mean()


def _standardised(rows: Tensor) -> Tensor:
    return (rows - rows.mean(dim=0)) / (rows.std(dim=0) + 1e-3)
