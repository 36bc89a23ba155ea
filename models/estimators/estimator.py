"""The contract of estimators: clips in, heat maps of the centre frame out, features of a frame computed once.

A clip is a centre frame and its supporting frames, ``T`` in all, in order of time. An estimator first *encodes* each
frame by itself, which is most of its work and is shared by all clips that the frame is part of, and then *relates* the
frames of each clip. Training and evaluation know nothing else of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from models.backbones.build import build_backbone
from models.backbones.config import STRIDES, AnyBackboneConfig, BackboneConfig
from models.estimators.heads import HeatmapHead

#: Input pixels per cell of heat maps and fine features, and per token.
HEATMAP_STRIDE, TOKEN_STRIDE = STRIDES[0], STRIDES[-1]

_COMMON = frozenset({"backbone", "embed", "embed_finer", "position", "head"})


@dataclass(frozen=True, kw_only=True)
class EstimatorConfig:
    """Size of an estimator; each has a subclass with what is its own. The defaults are those of the preset ``tiny``.

    Args:
        keypoints: ``K``.
        deltas: Frames of a clip relative to its centre frame, in order; an odd number ``T`` with 0 in the middle.
        height: ``H``, input pixels, a multiple of 16.
        width: ``W``, likewise.
        backbone: The network that describes frames.
        channels: ``C`` of a token.
        heads: Of attention.
        head_channels: Of the heat-map head.
        drop: Share of values that dropout sets to nothing, in layers of attention.
        supports_learn: Whether a clip teaches how its supporting frames are described too. By default gradients flow
            through the description of the centre frame alone, which each labelled frame is in turn: a step takes less
            time and memory.
    """

    fewest_frames: ClassVar[int] = 3

    keypoints: int
    deltas: tuple[int, ...] = (-2, 0, 2)
    height: int = 128
    width: int = 128
    backbone: AnyBackboneConfig = field(default_factory=BackboneConfig)
    channels: int = 96
    heads: int = 4
    head_channels: int = 32
    drop: float = 0.0
    supports_learn: bool = False

    def __post_init__(self) -> None:
        if self.keypoints < 1:
            raise ValueError("an estimator needs a keypoint")
        if len(self.deltas) % 2 == 0 or list(self.deltas) != sorted(set(self.deltas)) or self.deltas[self.centre]:
            raise ValueError(f"deltas rise, are odd in number and have 0 in the middle, unlike {list(self.deltas)}")
        if self.height % TOKEN_STRIDE or self.width % TOKEN_STRIDE:
            raise ValueError(f"{self.height} x {self.width} pixels are not whole tokens of {TOKEN_STRIDE}")
        if self.frames < self.fewest_frames:
            raise ValueError(f"clips of {self.frames} frames are too short: this estimator needs {self.fewest_frames}")
        if self.channels % self.heads:
            raise ValueError(f"{self.channels} channels do not divide among {self.heads} heads")

    @property
    def frames(self) -> int:
        """``T``."""
        return len(self.deltas)

    @property
    def centre(self) -> int:
        """Index of the centre frame in a clip."""
        return len(self.deltas) // 2

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens; their product is ``N``."""
        return self.height // TOKEN_STRIDE, self.width // TOKEN_STRIDE

    @property
    def cells(self) -> tuple[int, int]:
        """``(h, w)`` of heat maps."""
        return self.height // HEATMAP_STRIDE, self.width // HEATMAP_STRIDE


@dataclass(frozen=True, eq=False)
class Features:
    """Features of ``M`` frames.

    Attributes:
        tokens: ``(M, N, C)``, row by row of the frame.
        fine: ``(M, c, h, w)`` descriptors at the stride of heat maps, ``c`` the backbone's channels.
        heatmaps: ``(M, K, h, w)`` initial heat maps, each from its frame alone, of estimators that have them.
    """

    tokens: Tensor
    fine: Tensor
    heatmaps: Tensor | None = None

    @staticmethod
    def joined(parts: Sequence[Features]) -> Features:
        """Features of frames that were encoded in several parts, one after the other."""
        heatmaps = [part.heatmaps for part in parts if part.heatmaps is not None]
        return Features(
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.fine for part in parts]),
            torch.cat(heatmaps) if heatmaps else None,
        )


@dataclass(frozen=True, eq=False)
class KnownLabels:
    """Labels that are known on frames of a clip, for estimators that can use them.

    Attributes:
        heatmaps: ``(B, T, K, h, w)`` Gaussians at the labels, see ``models.estimators.targets.gaussians``.
        known: ``(B, T, K)`` where there is one.
    """

    heatmaps: Tensor
    known: Tensor


@dataclass(frozen=True, eq=False)
class PoseOutput:
    """The output of an estimator for clips. All but the first are there for losses, where an estimator has them.

    Attributes:
        heatmaps: ``(B, K, h, w)`` of the centre frame; about 1 at a keypoint, 0 elsewhere.
        initial: ``(B, T, K, h, w)`` of each frame by itself.
        human: ``(B, T, N)`` logits: the token shows the subject.
        keypoint: ``(B, N, K)`` logits: the token of the centre frame shows the keypoint.
        importance: ``(B, T * N)`` how much tokens matter, adding up to 1.
        auxiliary: Losses of tasks that need no labels, by name, each a scalar with its weight in it.
    """

    heatmaps: Tensor
    initial: Tensor | None = None
    human: Tensor | None = None
    keypoint: Tensor | None = None
    importance: Tensor | None = None
    auxiliary: dict[str, Tensor] = field(default_factory=dict)


class Estimator(nn.Module):
    """A network for clips of one subject, cut out with the same box on all frames.

    Args:
        config: Its size.
    """

    #: Whether each frame gets heat maps of its own while it is encoded.
    initial_heatmaps = False

    def __init__(self, config: EstimatorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.backbone.channels
        self.backbone = build_backbone(config.backbone)
        self.embed = nn.Linear(width, config.channels)
        # Each token also hears of the finer cells that it covers; at first it does not.
        self.embed_finer = nn.Conv2d(width, config.channels, 3, 2, 1)
        nn.init.zeros_(self.embed_finer.weight)
        self.position = nn.Parameter(0.02 * torch.randn(config.grid[0] * config.grid[1], config.channels))
        self.head = HeatmapHead(config.channels, width, config.head_channels, config.keypoints)

    @property
    def pretrained(self) -> nn.Module:
        """The part of the backbone that was trained before, as a rule; the rest is new."""
        return cast(nn.Module, self.backbone.pretrained)

    def forward(self, frames: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """Find the keypoints of centre frames.

        Args:
            frames: ``(B, T, 3, H, W)`` RGB in 0 to 255.
            labelled: Labels on other frames of the clips; only some estimators heed them.
        """
        time, teaching = frames.shape[1], torch.is_grad_enabled()
        parts = []
        for index in range(time):
            with torch.set_grad_enabled(teaching and (index == self.config.centre or self.config.supports_learn)):
                parts.append(self.encode(frames[:, index]))
        rows = torch.arange(time * len(frames), device=frames.device).view(time, -1).T
        return self.relate(Features.joined(parts), rows, labelled)

    def encode(self, images: Tensor) -> Features:
        """Describe frames ``(M, 3, H, W)``, RGB in 0 to 255, each by itself."""
        fine, middle, coarse = self.backbone(images)
        tokens = self.embed(coarse * coarse.shape[-1] ** 0.5).flatten(1, 2)
        finer = self.embed_finer(middle.permute(0, 3, 1, 2) * middle.shape[-1] ** 0.5)
        tokens = tokens + finer.flatten(2).transpose(1, 2) + self.position
        fine = fine.permute(0, 3, 1, 2) * fine.shape[-1] ** 0.5
        return Features(tokens, fine, self.decode(tokens, fine) if self.initial_heatmaps else None)

    def decode(self, tokens: Tensor, fine: Tensor) -> Tensor:
        """Heat maps ``(M, K, h, w)`` from tokens ``(M, N, C)`` and fine features ``(M, c, h, w)``."""
        heatmaps: Tensor = self.head(tokens.transpose(1, 2).unflatten(2, self.config.grid), fine)
        return heatmaps

    @abstractmethod
    def relate(self, features: Features, rows: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """Find the keypoints of centre frames.

        Args:
            features: Of frames.
            rows: ``(B, T)`` which of them each clip is made of.
            labelled: See ``forward``.
        """

    def take_over(self, other: Estimator) -> None:
        """Begin with what all estimators have in common, of one that was trained: backbone, tokens and head.

        Raises:
            ValueError: It is of another size.
        """
        theirs, own = other._common(), self._common()
        if theirs.keys() != own.keys() or any(theirs[name].shape != own[name].shape for name in own):
            raise ValueError("the two estimators are of different sizes")
        self.load_state_dict(theirs, strict=False)

    def _common(self) -> dict[str, Tensor]:
        return {name: weight for name, weight in self.state_dict().items() if name.split(".")[0] in _COMMON}

    def advance(self, progress: float) -> None:
        """Hear which share of the training is done, 0 to 1; estimators that learn in stages change theirs by it."""
