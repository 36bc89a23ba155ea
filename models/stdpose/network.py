"""STDPose in keypoint-agnostic form: the network that carries labels through the frames between them.

From the paper (STDPose, AAAI 2025, arXiv 2501.15073, known to us in part) come the three ideas: temporal pose heat maps
mixed by keypoint synthesis, the dynamic-aware mask of their residuals, and visual features of frames fused over time
with a learnable position embedding, aggregated with the motion dynamics. Ours is the rest: heat maps are correlations
with what the labelled frames show at a keypoint, so that one network serves every skeleton; positions are refined from
a first guess in a few rounds, each with its own error bar; and what interpolation and optical flow make of the labels
is shown to the network as hints, with how well each agrees with the labels' looks, for it to follow or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from models.backbones.build import build_backbone
from models.backbones.config import STRIDES, AnyBackboneConfig, BackboneConfig
from models.stdpose.correlation import correlate, descriptors, offsets, peaks
from models.stdpose.heatmaps import DynamicAwareMask, HeatmapSynthesis, residuals
from models.stdpose.matching import Matches, match
from models.stdpose.temporal import FusionBlock, PositionEmbedding
from models.stdpose.verifier import Candidates, Verifier, VerifierConfig
from models.stdpose.windows import WindowBatch

#: Input pixels of a typical subject, the unit of distances that the network is shown.
UNIT = 160.0

_LABELS = 2  # before and after
_TEMPLATE_RADIUS = 1
_LONGEST_STEP = 8.0  # pixels that an output of 1 moves a point
_FARTHEST_PULL = 40.0  # pixels
_LONGEST_SHARE = 0.15  # of a pull that an output of 1 follows
_FIRST_SCALE = 1.4  # log pixels of a typical error
_PEAK_LEVEL = 1  # of STRIDES: where whole maps are searched
_HINT_INPUTS = 5 + _LABELS * len(STRIDES)


@dataclass(frozen=True, kw_only=True)
class StdPoseConfig:
    """Size of a :class:`StdPose`; the defaults are those of the preset ``tiny``.

    Args:
        backbone: The network that describes frames.
        channels: Width of a token.
        blocks: Fusion blocks.
        heads: Attention heads.
        radius: Cells around the estimate that are searched on each level.
        rounds: Refinements.
        hints: Other guesses that are shown per keypoint and frame.
        matches: Best places by looks alone that are shown as well, with a path along them; 0 for neither.
        verifier: What judges the results.
    """

    backbone: AnyBackboneConfig = field(default_factory=BackboneConfig)
    channels: int = 160
    blocks: int = 3
    heads: int = 4
    radius: int = 3
    rounds: int = 4
    hints: int = 5
    matches: int = 0
    verifier: VerifierConfig = field(default_factory=VerifierConfig)


@dataclass(frozen=True, eq=False)
class Estimate:
    """The result of one round of refinement.

    Attributes:
        xy: ``(B, T, K, 2)`` input pixels; labelled points are where their labels are.
        log_scale: ``(B, T, K)`` logarithm of the median distance from the truth in input pixels.
    """

    xy: Tensor
    log_scale: Tensor


@dataclass(frozen=True, eq=False)
class Hints:
    """Other guesses than the one that is refined, ``G`` for each keypoint and frame.

    Attributes:
        xy: ``(B, G, T, K, 2)`` input pixels.
        trust: ``(B, G, T, K)`` how far their makers would trust them, about -1 to 1; -1 where there is no such guess.
    """

    xy: Tensor
    trust: Tensor


@dataclass(frozen=True, eq=False)
class _Known:
    """Inputs that stay the same from round to round."""

    window: WindowBatch
    start: Tensor
    found: tuple[Tensor, Tensor]
    hints: Hints
    likeness: Tensor  # (B, T, K, G, L * 2)


class StdPose(nn.Module):
    """Refines first guesses of a subject's keypoints on the frames of a window."""

    cells: Tensor

    def __init__(self, config: StdPoseConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or StdPoseConfig()
        channels, levels, cells = config.channels, len(STRIDES), (2 * config.radius + 1) ** 2
        maps, template = levels * _LABELS, (2 * _TEMPLATE_RADIUS + 1) ** 2
        self.backbone = build_backbone(config.backbone)
        self.sharpness = nn.Parameter(torch.full((levels,), 2.0))
        self.match = nn.ModuleList(
            nn.Sequential(nn.Linear(cells * template, 160), nn.GELU(), nn.Linear(160, 64)) for _ in STRIDES
        )
        self.synthesis = HeatmapSynthesis(maps, config.radius)
        self.peakedness = nn.Parameter(torch.tensor(8.0).log())
        self.mask = DynamicAwareMask()
        self.position = PositionEmbedding(channels)
        self.from_matches = nn.Linear(64 * maps, channels)
        self.from_heatmaps = nn.Linear(cells * maps, channels)
        self.from_changes = nn.Linear(2 * cells * levels, channels)
        self.from_dynamics = nn.Linear(4 * 2 * 2 * _WAVES, channels)
        self.from_features = nn.Linear(config.backbone.channels * levels, channels)
        self.from_peaks = nn.Linear(_LABELS * 3, channels)
        guesses = config.hints + (config.matches + 1 if config.matches else 0)
        self.from_hints = nn.Linear(_HINT_INPUTS * guesses, channels)
        self.from_context = nn.Linear(3 * 2 * 2 * _WAVES + 4 + 1 + 2 + 2 * levels, channels)
        self.blocks = nn.ModuleList(FusionBlock(channels, config.heads) for _ in range(config.blocks))
        self.gate = nn.Linear(3 * channels, channels)
        last = nn.Linear(channels, 3 + maps + _LABELS + guesses)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(nn.LayerNorm(channels), last)
        self.verifier = Verifier(config.verifier, UNIT)
        self.register_buffer("cells", offsets(config.radius, torch.device("cpu")), persistent=False)

    def describe(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of descriptors of some frames, see ``Backbone.forward``."""
        maps: tuple[Tensor, ...] = self.backbone(images)
        return maps

    def templates(self, maps: tuple[Tensor, ...], window: WindowBatch) -> list[Tensor]:
        """Descriptors of the labelled frames at and around each keypoint, per level ``(B, K, 2, P, C)``."""
        return [
            descriptors(level, window.anchor_rows, window.anchor_xy, stride, _TEMPLATE_RADIUS)
            for level, stride in zip(maps, STRIDES, strict=True)
        ]

    def find_matches(self, maps: tuple[Tensor, ...], window: WindowBatch) -> Matches | None:
        """The best places by looks alone, where the network is shown any; carries no gradients."""
        if not self.config.matches:
            return None
        before, after = window.anchor_xy[:, None].unbind(-2)
        linear = torch.lerp(before, after, window.elapsed[..., None])
        return match(maps, self.templates(maps, window), window, linear, self.config.matches, UNIT)

    def forward(
        self,
        maps: tuple[Tensor, ...],
        window: WindowBatch,
        start: Tensor,
        hints: Hints,
        rounds: int = 0,
        matches: Matches | None = None,
    ) -> list[Estimate]:
        """Refine.

        Gradients reach ``maps`` through the last round only; positions carry none from round to round.

        Args:
            maps: Of the frames of the window and of its labels, see ``describe``.
            window: What is known.
            start: ``(B, T, K, 2)`` first guess in input pixels.
            hints: Other guesses.
            rounds: Refinements, as configured where 0.
            matches: What ``find_matches`` gave for the first of equal windows; looked for where left out.

        Returns:
            One estimate per round.
        """
        matches = matches or self.find_matches(maps, window)
        if matches is not None:
            hints = _with_matches(hints, matches)
        before, after = window.anchor_xy[:, None].unbind(-2)
        labels = torch.where(window.elapsed[..., None] < 0.5, before, after)
        xy = torch.where(window.anchored[..., None], labels, start)
        held = [level.detach() for level in maps]
        templates = self.templates(maps, window)
        still = [template.detach() for template in templates]
        centre = still[_PEAK_LEVEL][..., still[0].shape[-2] // 2, :]
        found = peaks(held[_PEAK_LEVEL], window.rows, centre, STRIDES[_PEAK_LEVEL])
        known = _Known(window, start, found, hints, _likeness(tuple(held), still, window, hints.xy))
        estimates = []
        rounds = rounds or self.config.rounds
        for turn in range(rounds):
            last = turn == rounds - 1
            step, log_scale = self._round(maps if last else tuple(held), templates if last else still, known, xy)
            moved = xy + step * (~window.anchored)[..., None]
            estimates.append(Estimate(moved, log_scale))
            xy = moved.detach()
        return estimates

    def judge(self, maps: tuple[Tensor, ...], window: WindowBatch, candidates: Candidates) -> tuple[Estimate, Tensor]:
        """Weigh refinements, first guesses and hints against each other.

        Args:
            maps: See ``describe``.
            window: What is known.
            candidates: Of the same windows.

        Returns:
            The estimate, and the weights of the candidates ``(B, C, T, K)``.
        """
        xy, log_scale, weight = self.verifier(maps, self.templates(maps, window), window, candidates)
        return Estimate(xy, log_scale), weight

    def _round(
        self,
        maps: tuple[Tensor, ...],
        templates: list[Tensor],
        known: _Known,
        xy: Tensor,
    ) -> tuple[Tensor, Tensor]:
        window, start, found = known.window, known.start, known.found
        heatmaps, matches, features = self._evidence(maps, templates, window, xy)
        mixed = self.synthesis(heatmaps, window.anchored, window.valid)  # (B, T, K, L * 2, P)
        level = (
            mixed.unflatten(3, (len(STRIDES), _LABELS)).sum(dim=4)
            / window.has.sum(-1).clamp(min=1)[:, None, :, None, None]
        )
        unit = torch.exp(self.peakedness.exp() * (level - level.amax(dim=-1, keepdim=True)))
        changes = residuals(unit, xy, window.valid, STRIDES)  # (B, T, K, L, 2, P)
        mask = self.mask(changes)
        moving = mask.amax(dim=-1).flatten(-2)  # (B, T, K, L * 2)

        synthesised = self.from_heatmaps(mixed.flatten(3))
        motion = self.from_changes((mask * changes).flatten(3))
        motion = motion + moving.mean(dim=-1, keepdim=True) * self.from_dynamics(_dynamics(window, start, xy))
        tokens = (
            self.from_matches(matches)
            + synthesised
            + motion
            + self.from_features(features)
            + self.from_peaks(_towards(found, xy))
            + self.from_hints(_towards_hints(known, xy))
            + self.position(window.elapsed)
            + self.from_context(_context(window, xy, moving))
        )
        tokens = tokens * window.valid[..., None]
        for block in self.blocks:
            tokens = block(tokens, window.valid)
        gate = torch.sigmoid(self.gate(torch.cat([tokens, synthesised, motion], dim=-1)))
        out = self.head(tokens + gate * motion + (1 - gate) * synthesised).float()
        share, towards = _LONGEST_SHARE * out[..., 3:, None], self._pulls(mixed, known, xy)
        return out[..., :2] * _LONGEST_STEP + (share * towards).sum(dim=-2), out[..., 2] + _FIRST_SCALE

    def _pulls(self, mixed: Tensor, known: _Known, xy: Tensor) -> Tensor:
        """Where each synthesised heat map, the best place on the whole frame, and each hint would move a point.

        The network outputs a share of each, so that following a heat map, as decoding one does, need not be learned
        from nothing.

        Returns:
            ``(B, T, K, L * 2 + 2 + G, 2)`` pixels.
        """
        density = torch.softmax(self.peakedness.exp() * mixed.float(), dim=-1)
        strides = torch.tensor(STRIDES, device=xy.device, dtype=xy.dtype).repeat_interleave(_LABELS)
        local = density @ self.cells * strides[:, None]
        places = torch.cat([known.found[0], known.hints.xy.movedim(1, 3)], dim=-2)
        far = (places - xy[..., None, :]).clamp(-_FARTHEST_PULL, _FARTHEST_PULL)
        return torch.cat([local, far], dim=-2)

    def _evidence(
        self, maps: tuple[Tensor, ...], templates: list[Tensor], window: WindowBatch, xy: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        heatmaps, matches, features = [], [], []
        known = window.has[:, None, :, :, None]  # (B, 1, K, 2, 1)
        for number, (level, template, stride) in enumerate(zip(maps, templates, STRIDES, strict=True)):
            size = template.shape[-2]
            both = template.flatten(2, 3)
            found = correlate(level, window.rows, xy, both, stride, self.config.radius)  # (B, T, K, P, 2 * size)
            apart = found.view(*found.shape[:-1], _LABELS, size).movedim(-2, 3)  # (B, T, K, 2, P, size)
            heatmaps.append(apart[..., size // 2] * known)
            matches.append(self.match[number]((apart * self.sharpness[number]).flatten(-2)) * known)
            rows = window.rows[..., None].expand(xy.shape[:-1])
            features.append(descriptors(level, rows, xy, stride, 0)[..., 0, :])
        return torch.cat(heatmaps, dim=3), torch.cat(matches, dim=3).flatten(3), torch.cat(features, dim=-1)


def _with_matches(hints: Hints, matches: Matches) -> Hints:
    count = len(hints.xy)
    places = torch.cat([matches.path[:, None], matches.xy], dim=1)
    heights = torch.cat([matches.height[:, :1], matches.height], dim=1)
    return Hints(
        torch.cat([hints.xy, places.expand(count, *places.shape[1:])], dim=1),
        torch.cat([hints.trust, heights.expand(count, *heights.shape[1:])], dim=1),
    )


_WAVES = 6


def _waves(x: Tensor) -> Tensor:
    frequency = 2.0 ** torch.arange(_WAVES, device=x.device)
    phase = x[..., None] * frequency
    return torch.cat([phase.sin(), phase.cos()], dim=-1).flatten(-2)


def _dynamics(window: WindowBatch, start: Tensor, xy: Tensor) -> Tensor:
    both = (window.valid[:, 1:] & window.valid[:, :-1])[..., None]
    step = (xy[:, 1:] - xy[:, :-1]) * both
    nothing = torch.zeros_like(xy[:, :1])
    before, after = torch.cat([nothing, step], dim=1), torch.cat([step, nothing], dim=1)
    between = (window.anchor_xy[:, :, 1] - window.anchor_xy[:, :, 0])[:, None].expand_as(xy)
    return _waves(torch.cat([before, after, xy - start, between], dim=-1) * (8 / UNIT))


def _towards(found: tuple[Tensor, Tensor], xy: Tensor) -> Tensor:
    places, height = found
    direction = torch.tanh((places - xy[..., None, :]) * (4 / UNIT))
    return torch.cat([direction.flatten(-2), height], dim=-1)


def _likeness(maps: tuple[Tensor, ...], templates: list[Tensor], window: WindowBatch, places: Tensor) -> Tensor:
    """The likeness of places ``(B, G, T, K, 2)`` to the keypoint on its labelled frames: ``(B, T, K, G, L * 2)``."""
    guesses = places.shape[1]
    rows, every = window.rows.repeat(1, guesses), places.flatten(1, 2)
    found = [
        correlate(level, rows, every, template[..., template.shape[-2] // 2, :], stride, 0)[..., 0, :]
        for level, template, stride in zip(maps, templates, STRIDES, strict=True)
    ]  # (B, G * T, K, 2) each
    known = window.has[:, None].repeat(1, guesses * window.rows.shape[1], 1, 1)
    like = torch.cat([level * known for level in found], dim=-1)
    return like.view(len(like), guesses, -1, *like.shape[2:]).movedim(1, 3)


def _towards_hints(known: _Known, xy: Tensor) -> Tensor:
    apart = (known.hints.xy.movedim(1, 3) - xy[..., None, :]) / UNIT
    trust = known.hints.trust.movedim(1, 3)[..., None]
    return torch.cat([torch.tanh(4 * apart), torch.tanh(24 * apart), trust, known.likeness], dim=-1).flatten(-2)


def _context(window: WindowBatch, xy: Tensor, moving: Tensor) -> Tensor:
    labelled = window.has.any(dim=-1)  # (B, K)
    weight = labelled / labelled.sum(dim=-1, keepdim=True).clamp(min=1)
    middle = (window.anchor_xy.mean(dim=2) * weight[..., None]).sum(dim=1)[:, None, None]  # (B, 1, 1, 2)
    own = (window.anchor_xy[:, None] - middle[..., None, :]).expand(*xy.shape[:3], _LABELS, 2).flatten(-2)
    place = _waves(torch.cat([own, xy - middle], dim=-1) * (2 / UNIT))
    swing = moving.amax(dim=1, keepdim=True).expand_as(moving)
    has = window.has[:, None].expand(*xy.shape[:3], _LABELS).to(xy.dtype)
    steps = torch.log1p(window.steps)
    near = torch.exp(-window.steps / 8) * has
    return torch.cat([place, steps, near, window.anchored[..., None].to(xy.dtype), has, swing], dim=-1)
