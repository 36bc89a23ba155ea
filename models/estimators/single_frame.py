"""The baseline: one frame, without those around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from models.estimators.attention import EncoderLayer
from models.estimators.estimator import Estimator, EstimatorConfig, Features, KnownLabels, PoseOutput


@dataclass(frozen=True, kw_only=True)
class SingleFrameConfig(EstimatorConfig):
    """Size of a :class:`SingleFrame`.

    Args:
        layers: Of the transformer on top of the backbone.
    """

    fewest_frames: ClassVar[int] = 1

    deltas: tuple[int, ...] = (0,)
    layers: int = 2


class SingleFrame(Estimator):
    """Tokens of the centre frame through a transformer and a heat-map head, after ViTPose (Xu et al., NeurIPS 2022).

    It has the same backbone, head and as many layers as the estimators that it is compared with, so that what they do
    better comes from the other frames.
    """

    config: SingleFrameConfig

    def __init__(self, config: SingleFrameConfig) -> None:
        super().__init__(config)
        self.layers = nn.ModuleList(
            EncoderLayer(config.channels, config.heads, config.drop) for _ in range(config.layers)
        )

    def relate(self, features: Features, rows: Tensor, labelled: KnownLabels | None = None) -> PoseOutput:
        """See ``Estimator.relate``; frames other than the centre frame, and labels, are not looked at."""
        centre = rows[:, self.config.centre]
        tokens = features.tokens[centre]
        for layer in self.layers:
            tokens = layer(tokens)
        return PoseOutput(self.decode(tokens, features.fine[centre]))
