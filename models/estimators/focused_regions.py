"""Focused-Regions: attention held to the subject, then to its keypoints, and to its surroundings on other frames.

From the paper (Jiao et al., *Optimizing human pose estimation through focused human and joint regions*, AAAI 2025,
arXiv 2501.14439, known to us in part): the bilayer human-keypoint mask, which refines visual tokens from coarse to
fine, first those of the target's body, then those of its keypoints; deformable cross attention, constrained to the
surroundings of the target; and the bidirectional separation of earlier and later frames. How masks are predicted and
supervised, the shares that are kept, layers, sizes and losses are our reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.estimators.attention import CrossLayer, EncoderLayer, quiet
from models.estimators.deformable import DeformableCrossAttention
from models.estimators.estimator import Estimator, EstimatorConfig, Features, KnownLabels, PoseOutput


@dataclass(frozen=True, kw_only=True)
class FocusedRegionsConfig(EstimatorConfig):
    """Size of a :class:`FocusedRegions`.

    Args:
        human_layers: Of the transformer among tokens of the subject.
        keypoint_layers: Of the transformer among tokens of keypoints.
        human_share: Of tokens that are kept as the subject's once training is over.
        keypoint_share: Of tokens that are kept as keypoints'.
        points: Places that each head of deformable attention looks at.
        reach: How far from a token these may lie, as a share of the crop.
        stray_weight: Of the loss that holds attention to the subject.
        masks: Whether there are masks; for ablations.
        deformable: Whether cross attention is deformable, else to all of another frame; for ablations.
        separation: Whether earlier and later frames have weights of their own; for ablations.
    """

    human_layers: int = 1
    keypoint_layers: int = 1
    human_share: float = 0.7
    keypoint_share: float = 0.4
    points: int = 4
    reach: float = 0.25
    stray_weight: float = 0.01
    masks: bool = True
    deformable: bool = True
    separation: bool = True


class FocusedRegions(Estimator):
    """Focused-Regions for the keypoints of one skeleton."""

    config: FocusedRegionsConfig

    def __init__(self, config: FocusedRegionsConfig) -> None:
        super().__init__(config)
        channels, heads = config.channels, config.heads
        self.bilayer = BilayerMask(config)
        self.branches = nn.ModuleList(
            DeformableCrossAttention(channels, heads, config.grid, config.points, config.reach)
            if config.deformable
            else CrossLayer(channels, heads, config.drop)
            for _ in range(2 if config.separation else 1)
        )
        self.time = nn.Parameter(0.02 * torch.randn(config.frames, 1, channels))
        self.join = nn.Sequential(nn.LayerNorm(5 * channels), nn.Linear(5 * channels, channels), nn.GELU())
        self.leaving = quiet(nn.Linear(channels, channels))

    def relate(self, features: Features, rows: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """See ``Estimator.relate``; labels are not looked at."""
        centre, apart = self.config.centre, features.tokens[rows]
        tokens, human, keypoint, mask = self.bilayer(apart)
        others = apart + self.time
        earlier, stray = self._gather(tokens, others[:, :centre], mask[:, :centre], self.branches[0])
        later, stray_later = self._gather(tokens, others[:, centre + 1 :], mask[:, centre + 1 :], self.branches[-1])
        motion = torch.cat([tokens, earlier, later, tokens - earlier, later - tokens], dim=-1)
        fused = tokens + self.leaving(self.join(motion))
        return PoseOutput(
            self.decode(fused, features.fine[rows[:, centre]]),
            human=human,
            keypoint=keypoint,
            auxiliary={"stray": self.config.stray_weight * (stray + stray_later)} if self.config.deformable else {},
        )

    def _gather(self, tokens: Tensor, others: Tensor, mask: Tensor, branch: nn.Module) -> tuple[Tensor, Tensor]:
        """The mean of the messages from the frames of one side, ``(B, S, N, C)``, to tokens ``(B, N, C)``."""
        frames = others.shape[1]
        asking = tokens.repeat_interleave(frames, dim=0)
        if not self.config.deformable:
            heard = branch(asking, others.flatten(0, 1), mask.flatten(0, 1).clamp(min=1e-4).log())
            return heard.unflatten(0, (-1, frames)).mean(dim=1), tokens.new_zeros(())
        found = branch(asking, others.flatten(0, 1), mask.flatten(0, 1))
        return found.tokens.unflatten(0, (-1, frames)).mean(dim=1), found.stray


class BilayerMask(nn.Module):
    """The human-keypoint mask: tokens among themselves, those of the subject first, then those of its keypoints.

    While training, a token's probability weighs how much others look at it; afterwards only the likeliest share of
    tokens is looked at.

    Args:
        config: Of the estimator.
    """

    def __init__(self, config: FocusedRegionsConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        if config.masks:
            self.human = nn.Sequential(
                nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, 1)
            )
            self.keypoint = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, config.keypoints))
        self.among_human, self.among_keypoints = (
            nn.ModuleList(EncoderLayer(channels, config.heads, config.drop) for _ in range(count))
            for count in (config.human_layers, config.keypoint_layers)
        )

    def forward(self, every: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor]:
        """Refine the centre frame's tokens.

        Args:
            every: ``(B, T, N, C)``.

        Returns:
            Tokens ``(B, N, C)``, logits ``(B, T, N)`` of the subject and ``(B, N, K)`` of keypoints, ``None`` where
            there are no masks, and the subject's mask ``(B, T, N)``.
        """
        config, tokens = self.config, every[:, self.config.centre]
        if not config.masks:
            for layer in (*self.among_human, *self.among_keypoints):
                tokens = layer(tokens)
            return tokens, None, None, every.new_ones(every.shape[:3])
        human = self.human(every)[..., 0]
        mask = torch.sigmoid(human)
        for layer in self.among_human:
            tokens = layer(tokens, self._bias(mask[:, config.centre], config.human_share))
        keypoint = self.keypoint(tokens)
        shown = torch.sigmoid(keypoint).amax(dim=-1)
        for layer in self.among_keypoints:
            tokens = layer(tokens, self._bias(shown, config.keypoint_share))
        return tokens, human, keypoint, mask

    def _bias(self, mask: Tensor, share: float) -> Tensor:
        """``(B, N)`` what is added to scores of attention."""
        bias = mask.clamp(min=1e-4).log()
        if self.training:
            return bias
        kept = max(1, round(share * mask.shape[-1]))
        least = mask.topk(kept, dim=-1).values[..., -1:]
        return bias.masked_fill(mask < least, -torch.inf)
