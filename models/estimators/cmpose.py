"""CM-Pose: auxiliary tasks teach a clip's tokens to fill in for each other, then those that cause the pose are kept.

From the paper (Chen et al., *Causal-inspired multitask learning for video-based human pose estimation*, AAAI 2025,
arXiv 2501.14356, known to us in part): two stages. In the first, tokens of all frames are concatenated and the pose is
learned together with two self-supervised tasks, reconstruction of masked tokens, as if they were occluded, and
denoising of tokens, as if they were blurred. In the second, token causal importance selection keeps the tokens that
matter for the keypoints, and non-causal token clustering merges the rest. Ratios, losses, the measure of importance
(attention of learned queries of keypoints), the clustering by density peaks (which the group uses in *Multi-Grained
Feature Pruning*, ICASSP 2025), and how tokens of all frames come together in the centre frame's are our reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.estimators.attention import EncoderLayer, FeedForward, quiet
from models.estimators.estimator import Estimator, EstimatorConfig, Features, KnownLabels, PoseOutput

_NEIGHBOURS = 4  # of a token, whose distance tells the density around it


@dataclass(frozen=True, kw_only=True)
class CmPoseConfig(EstimatorConfig):
    """Size of a :class:`CmPose`.

    Args:
        layers: Of the transformer that learns the tasks.
        fine_layers: Of the one that works on selected and merged tokens.
        masked: Share of tokens that are hidden and must be filled in.
        noisy: Share of the tokens that are made noisy and must be cleaned; both shares together are 1 at most.
        noise: Deviation of the noise, relative to that of the tokens.
        mask_weight: Of the loss of reconstruction; 0 leaves the task out.
        noise_weight: Of the loss of denoising; 0 leaves the task out.
        causal: Share of tokens that are kept as they are.
        clusters: Share of the rest that it is merged to; 0 drops the rest.
        coarse_until: Share of the training after which the second stage begins.
        selection: Whether there is a second stage; for ablations.
    """

    layers: int = 2
    fine_layers: int = 1
    masked: float = 0.3
    noisy: float = 0.3
    noise: float = 0.5
    mask_weight: float = 0.1
    noise_weight: float = 0.1
    causal: float = 0.5
    clusters: float = 0.15
    coarse_until: float = 0.4
    selection: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.masked + self.noisy > 1:
            raise ValueError(f"{self.masked:g} hidden and {self.noisy:g} noisy are more than all tokens")


class CmPose(Estimator):
    """CM-Pose for the keypoints of one skeleton."""

    coarse: Tensor
    config: CmPoseConfig

    def __init__(self, config: CmPoseConfig) -> None:
        super().__init__(config)
        channels = config.channels
        self.time = nn.Parameter(0.02 * torch.randn(config.frames, 1, channels))
        self.layers = nn.ModuleList(EncoderLayer(channels, config.heads, config.drop) for _ in range(config.layers))
        if config.mask_weight:
            self.hidden = nn.Parameter(0.02 * torch.randn(channels))
            self.refill = _decoder(config)
        if config.noise_weight:
            self.denoise = _decoder(config)
        if config.selection:
            self.importance = KeypointImportance(config)
            self.fine = nn.ModuleList(
                EncoderLayer(channels, config.heads, config.drop) for _ in range(config.fine_layers)
            )
        every = config.frames * channels
        self.recombine = nn.Sequential(
            nn.LayerNorm(every), nn.Linear(every, channels), nn.GELU(), quiet(nn.Linear(channels, channels))
        )
        self.register_buffer("coarse", torch.tensor(False))

    def advance(self, progress: float) -> None:
        """The first stage lasts until ``coarse_until``; see ``Estimator.advance``."""
        self.coarse.fill_(progress < self.config.coarse_until)

    def relate(self, features: Features, rows: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """See ``Estimator.relate``; labels are not looked at."""
        fine = features.fine[rows[:, self.config.centre]]
        entering = (features.tokens[rows] + self.time).flatten(1, 2)  # (B, T * N, C)
        tokens = self._encode(entering)
        tasks = self._tasks(entering) if self.training and (self.config.mask_weight or self.config.noise_weight) else {}
        if not self.config.selection or (self.training and bool(self.coarse)):
            return PoseOutput(self.decode(self._recombined(tokens), fine), auxiliary=tasks)
        importance = self.importance(tokens)
        refined = self._recombined(self._refine(tokens, importance))
        return PoseOutput(self.decode(refined, fine), importance=importance, auxiliary=tasks)

    def _recombined(self, tokens: Tensor) -> Tensor:
        """The centre frame's tokens ``(B, N, C)``, with what all frames' ``(B, T * N, C)`` say of each place."""
        apart = tokens.unflatten(1, (self.config.frames, -1))
        together: Tensor = apart[:, self.config.centre] + self.recombine(apart.transpose(1, 2).flatten(2))
        return together

    def _encode(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens

    def _tasks(self, entering: Tensor) -> dict[str, Tensor]:
        """Losses of filling in some of the tokens ``(B, T * N, C)`` and of cleaning others, against what they were."""
        config, clean = self.config, entering.detach()
        target = F.layer_norm(clean, clean.shape[-1:])
        # One pass serves both tasks: no token is hidden and noisy.
        draw = torch.rand(clean.shape[:2], device=clean.device)
        hidden = (draw < config.masked) & bool(config.mask_weight)
        noisy = (draw > 1 - config.noisy) & bool(config.noise_weight)
        harmed = entering + noisy[..., None] * config.noise * clean.std() * torch.randn_like(clean)
        if config.mask_weight:
            # Where it was must still be known: a hidden token keeps its position.
            empty = self.hidden.to(entering.dtype) + (self.position + self.time).flatten(0, 1)
            harmed = torch.where(hidden[..., None], empty, harmed)
        mended, losses = self._encode(harmed), {}
        if config.mask_weight:
            losses["reconstruction"] = config.mask_weight * _distance(self.refill(mended), target, hidden)
        if config.noise_weight:
            losses["denoising"] = config.noise_weight * _distance(self.denoise(mended), target, noisy)
        return losses

    def _refine(self, tokens: Tensor, importance: Tensor) -> Tensor:
        """Tokens ``(B, M, C)`` after a transformer among the important ones and what the others are merged to."""
        _, count, channels = tokens.shape
        kept = max(1, round(self.config.causal * count))
        order = importance.argsort(dim=-1, descending=True, stable=True)
        causal, rest = (rows[..., None].expand(-1, -1, channels) for rows in (order[:, :kept], order[:, kept:]))
        weights, others = importance.gather(1, order), tokens.gather(1, rest)
        # Weighing them by their importance lets the loss of heat maps teach what is important.
        chosen = tokens.gather(1, causal) * (1 + torch.tanh(weights[:, :kept, None] * count - 1) / 2)
        merged, member = merge(others, weights[:, kept:], round(self.config.clusters * others.shape[1]))
        mixed = torch.cat([chosen, merged], dim=1)
        for layer in self.fine:
            mixed = layer(mixed)
        if merged.shape[1]:
            learnt = mixed[:, kept:] - merged
            others = others + learnt.gather(1, member[..., None].expand(-1, -1, channels))
        return torch.cat([mixed[:, :kept], others], dim=1).gather(1, order.argsort(dim=-1)[..., None].expand_as(tokens))


class KeypointImportance(nn.Module):
    """Token causal importance: how much learned queries, one per keypoint, look at each token.

    Args:
        config: Of the estimator.
    """

    def __init__(self, config: CmPoseConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.queries = nn.Parameter(torch.randn(config.keypoints, config.channels))
        self.norm = nn.LayerNorm(config.channels)
        self.key = nn.Linear(config.channels, config.channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """``(B, M, C)`` to ``(B, M)``, adding up to 1."""
        query = self.queries.unflatten(-1, (self.heads, -1)).transpose(0, 1)  # (heads, K, C / heads)
        key = self.key(self.norm(tokens)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        scores = query @ key.transpose(-1, -2) * key.shape[-1] ** -0.5  # (B, heads, K, M)
        largest = scores.float().softmax(dim=-1).mean(dim=1).amax(dim=1)
        importance: Tensor = largest / largest.sum(dim=-1, keepdim=True)
        return importance


def merge(tokens: Tensor, importance: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
    """Merge similar tokens, by density peaks among nearest neighbours (Du et al., *Knowledge-Based Systems* 2016).

    A token's density is ``exp(-d)`` of the mean squared distance to its nearest neighbours; centres are those whose
    density times distance to a denser token is largest; others join the nearest centre.

    Args:
        tokens: ``(B, M, C)``.
        importance: ``(B, M)`` weights in the means.
        clusters: How many; none are made of fewer tokens than neighbours that a density takes.

    Returns:
        Means ``(B, clusters, C)``, and which one each token is part of, ``(B, M)``.
    """
    batch, count, channels = tokens.shape
    if clusters < 1 or count <= _NEIGHBOURS:
        return tokens[:, :0], tokens.new_zeros((batch, count), dtype=torch.long)
    with torch.no_grad():
        flat = tokens.float()
        distance = torch.cdist(flat, flat) / channels**0.5
        near = distance.topk(_NEIGHBOURS + 1, dim=-1, largest=False).values[..., 1:]
        density = torch.exp(-near.square().mean(dim=-1))
        denser = density[:, None, :] > density[:, :, None]
        far = distance.amax(dim=(1, 2), keepdim=True)
        apart = torch.where(denser, distance, far).amin(dim=-1)
        peaks = (density * apart).topk(clusters, dim=-1).indices
        to_peaks = distance.gather(2, peaks[:, None].expand(-1, count, -1))
        member = to_peaks.argmin(dim=-1)
    share = F.one_hot(member, clusters).to(tokens.dtype) * importance[..., None]
    mean = share.transpose(1, 2) @ tokens / share.sum(dim=1)[..., None].clamp(min=1e-6)
    return mean, member


def _decoder(config: CmPoseConfig) -> nn.Module:
    channels = config.channels
    return nn.Sequential(FeedForward(channels), nn.LayerNorm(channels), nn.Linear(channels, channels))


def _distance(guess: Tensor, target: Tensor, chosen: Tensor) -> Tensor:
    squared = (guess - target).float().square().mean(dim=-1)
    return (squared * chosen).sum() / chosen.sum().clamp(min=1)
