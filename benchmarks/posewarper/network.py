"""PoseWarper: the learned baseline, which carries heat maps of labels from one frame to another by warping them.

From the paper and its code (Bertasius et al., *Learning temporal pose estimation from sparsely-labeled videos*, NeurIPS
2019) come these: the difference between the heat maps of an unlabelled and a labelled frame goes through residual
blocks; five convolutions, dilated by 3, 6, 12, 18 and 24 cells and zero at first, predict offsets for as many
deformable convolutions of the same dilations, the identity at first; these are applied to the labelled frame's heat
maps of its labels, and the mean of the five is the heat map of the unlabelled frame; the loss is the squared difference
from a Gaussian at the true place, and the backbone that the warping stands on stays frozen.

Theirs is made for the 17 joints of one skeleton: its heat maps are a pose network's, joints are channels. Our
reconstruction has no fixed joints. The heat maps whose difference it looks at are correlations with the descriptor of
the labelled point, each keypoint is an element of the batch, and one set of weights serves all. Ours too: the
difference of descriptors beside that of heat maps, the label's own heat map as an input, modulated sampling (Zhu et
al., *Deformable ConvNets v2*, CVPR 2019), one backbone and sizes for a CPU.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.backbones.config import STRIDES, BackboneConfig
from models.backbones.convolutional import Backbone
from models.backbones.layers import Residual
from models.errors import CheckpointError
from models.stdpose.correlation import descriptors, offsets
from models.weights import digest

#: Of the offset and deformable convolutions, in cells.
DILATIONS = (3, 6, 12, 18, 24)

#: Input pixels per cell of the heat maps.
STRIDE = STRIDES[0]

_TAPS = 9
_SHARPNESS = 8.0  # of heat maps made of correlations, to start from
_LEAST_HEAT = 1e-6


@dataclass(frozen=True, kw_only=True)
class PoseWarperConfig:
    """Size of a :class:`PoseWarper`.

    Args:
        backbone: The network that describes frames.
        width: Channels of the residual blocks.
        blocks: How many there are; the paper's network has 20 of 128 channels.
        sigma: Of the Gaussians of labels, in cells.
    """

    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    width: int = 32
    blocks: int = 4
    sigma: float = 2.0


class PoseWarper(nn.Module):
    """Warps heat maps of labels on one frame to where the points are on another."""

    taps: Tensor

    def __init__(self, config: PoseWarperConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PoseWarperConfig()
        width = config.width
        self.backbone = Backbone(config.backbone)
        self.log_sharpness = nn.Parameter(torch.full((len(STRIDES),), _SHARPNESS).log())
        self.from_heatmaps = nn.Conv2d(len(STRIDES) + 1, width, 3, padding=1)
        self.from_features = nn.Conv2d(config.backbone.channels, width, 1)
        self.blocks = nn.Sequential(*(Residual(width, width, 1) for _ in range(config.blocks)))
        self.fields = nn.ModuleList(nn.Conv2d(width, 3 * _TAPS, 3, padding=d, dilation=d) for d in DILATIONS)
        for convolution in self.fields:
            for parameter in convolution.parameters():
                nn.init.zeros_(parameter)
        identity = torch.zeros(len(DILATIONS), _TAPS)
        identity[:, _TAPS // 2] = 1
        self.kernels = nn.Parameter(identity)
        self.register_buffer("taps", offsets(1, torch.device("cpu")), persistent=False)

    def describe(self, images: Tensor) -> tuple[Tensor, ...]:
        """Maps of descriptors of some frames, see ``Backbone.forward``."""
        maps: tuple[Tensor, ...] = self.backbone(images)
        return maps

    def forward(self, labelled: tuple[Tensor, ...], unlabelled: tuple[Tensor, ...], xy: Tensor) -> Tensor:
        """Carry labels over.

        Args:
            labelled: Maps of ``B`` frames with labels, see ``describe``.
            unlabelled: Maps of as many frames without.
            xy: ``(B, K, 2)`` the labels in input pixels.

        Returns:
            ``(B, K, h, w)`` heat maps on the frames without labels, at ``STRIDE``.
        """
        batch, points = xy.shape[:2]
        height, width = labelled[0].shape[1:3]
        labels = gaussians(xy, height, width, self.config.sigma)
        differences = self._differences(labelled, unlabelled, xy)
        heat = torch.cat([differences, labels[:, :, None]], dim=2).flatten(0, 1)
        features = self.from_features((unlabelled[0] - labelled[0]).permute(0, 3, 1, 2))
        entering = self.from_heatmaps(heat) + features.repeat_interleave(points, dim=0)
        hidden = self.blocks(entering)
        source = labels.reshape(-1, 1, height, width)
        warped = [
            self._warp(source, convolution(hidden).float(), dilation, kernel)
            for convolution, dilation, kernel in zip(self.fields, DILATIONS, self.kernels, strict=True)
        ]
        return torch.stack(warped).mean(dim=0).view(batch, points, height, width)

    def _differences(self, labelled: tuple[Tensor, ...], unlabelled: tuple[Tensor, ...], xy: Tensor) -> Tensor:
        """``(B, K, L, h, w)`` by how much better each place fits a label's descriptor than on the labelled frame."""
        rows = torch.arange(len(xy), device=xy.device)[:, None].expand(xy.shape[:2])
        size = labelled[0].shape[1:3]
        found = []
        for level, stride in enumerate(STRIDES):
            query = descriptors(labelled[level], rows, xy, stride, 0)[..., 0, :]
            sharpness = self.log_sharpness[level].exp()
            before, after = (
                torch.exp(sharpness * (torch.einsum("bhwc,bkc->bkhw", maps[level], query).float() - 1))
                for maps in (labelled, unlabelled)
            )
            found.append(F.interpolate(after - before, size=size, mode="bilinear", align_corners=False))
        return torch.stack(found, dim=2)

    def _warp(self, source: Tensor, predicted: Tensor, dilation: int, kernel: Tensor) -> Tensor:
        """A modulated deformable convolution of ``(M, 1, h, w)`` by offsets and modulations ``(M, 27, h, w)``."""
        height, width = source.shape[2:]
        shift = predicted[:, : 2 * _TAPS].reshape(-1, _TAPS, 2, height, width).permute(0, 3, 4, 1, 2)
        weight = 2 * torch.sigmoid(predicted[:, 2 * _TAPS :]).permute(0, 2, 3, 1) * kernel  # (M, h, w, 9)
        y, x = torch.meshgrid(
            torch.arange(height, device=source.device), torch.arange(width, device=source.device), indexing="ij"
        )
        place = torch.stack([x, y], dim=-1)[:, :, None] + dilation * self.taps + shift
        size = torch.tensor([width, height], device=source.device)
        grid = (2 * place + 1) / size - 1  # (M, h, w, 9, 2)
        sampled = F.grid_sample(source, grid.flatten(2, 3), align_corners=False)  # (M, 1, h, w * 9)
        return (sampled.view(*weight.shape) * weight).sum(dim=-1)


def gaussians(xy: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Heat maps ``(..., h, w)`` of places ``(..., 2)`` in input pixels, with a peak of 1 at the exact place."""
    place = ((xy + 0.5) / STRIDE - 0.5)[..., None]
    x, y = (
        torch.exp(-(torch.arange(side, device=xy.device) - place[..., axis, :]).square() / (2 * sigma**2))
        for axis, side in enumerate((width, height))
    )
    return y[..., :, None] * x[..., None, :]


def heatmap_loss(warped: Tensor, xy: Tensor, weight: Tensor, sigma: float) -> Tensor:
    """Squared difference from Gaussians at the true places, summed over the cells of a map.

    Args:
        warped: ``(B, K, h, w)``.
        xy: ``(B, K, 2)`` true places in input pixels.
        weight: ``(B, K)`` how much each counts.
        sigma: Cells.
    """
    target = gaussians(xy, warped.shape[-2], warped.shape[-1], sigma)
    per_point = (warped - target).square().sum(dim=(-2, -1))
    return (per_point * weight).sum() / weight.sum().clamp(min=1)


def decode(heatmaps: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Where the peaks are, between cells too.

    The logarithm of a Gaussian is a parabola, so one Newton step from the highest cell of the smoothed map leads to its
    peak (Zhang et al., *Distribution-aware coordinate representation*, CVPR 2020). Where the map is no hill around its
    highest cell, and on the map's border, no step is taken.

    Args:
        heatmaps: ``(..., h, w)``.
        sigma: Of the Gaussians in cells, which the map is smoothed by.

    Returns:
        ``(..., 2)`` input pixels, and ``(...)`` the height of the map at its highest cell.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.reshape(-1, 1, height, width)
    score = flat.flatten(1).amax(dim=1)
    smooth = _smoothed(flat, sigma)
    peak = smooth.flatten(1).argmax(dim=1)
    x, y = peak % width, peak // width
    interior = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    hill = smooth[:, 0].clamp(min=_LEAST_HEAT).log()
    rows = torch.arange(len(hill), device=hill.device)

    def at(dx: int, dy: int) -> Tensor:
        return hill[rows, (y + dy).clamp(0, height - 1), (x + dx).clamp(0, width - 1)]

    slope = torch.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], dim=-1) / 2
    xx, yy = at(1, 0) - 2 * at(0, 0) + at(-1, 0), at(0, 1) - 2 * at(0, 0) + at(0, -1)
    xy = (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4
    determinant = xx * yy - xy**2
    curved = interior & (xx < 0) & (determinant > _LEAST_HEAT)
    step = torch.stack([xy * slope[:, 1] - yy * slope[:, 0], xy * slope[:, 0] - xx * slope[:, 1]], dim=-1)
    step = (step / torch.where(curved, determinant, 1)[:, None]).clamp(-1, 1) * curved[:, None]
    place = (torch.stack([x, y], dim=-1) + step + 0.5) * STRIDE - 0.5
    return place.view(*heatmaps.shape[:-2], 2), score.view(heatmaps.shape[:-2])


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    reach = round(2 * sigma)
    bell = torch.exp(-torch.arange(-reach, reach + 1, device=maps.device).square() / (2 * sigma**2))
    row = (bell / bell.sum()).to(maps.dtype).view(1, 1, 1, -1)
    return F.conv2d(F.conv2d(maps, row, padding=(0, reach)), row.mT, padding=(reach, 0))


def save(path: Path, network: PoseWarper, recipe: Mapping[str, Any]) -> None:
    """Write a checkpoint: weights, and beside them size and recipe as JSON.

    Args:
        path: ``….safetensors``.
        network: What is kept.
        recipe: How it came about, for people.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    save_file({name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}, unfinished)
    about = {"network": "posewarper", "config": asdict(network.config), "sha256": digest(unfinished), **recipe}
    path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
    unfinished.replace(path)


def load(path: Path) -> PoseWarper:
    """The network of a checkpoint, ready for inference.

    Raises:
        CheckpointError: A file is missing or is not such a checkpoint.
    """
    tensors, config = _read(path)
    try:
        network = PoseWarper(PoseWarperConfig(**{**config, "backbone": _backbone_config(config)}))
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} is not a checkpoint of posewarper: {error}") from error
    return network.eval()


def backbone_of(path: Path) -> Backbone:
    """The backbone in a checkpoint of STDPose's preset ``tiny``.

    Raises:
        CheckpointError: A file is missing or holds no such backbone.
    """
    tensors, config = _read(path)
    prefix = "backbone."
    own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        backbone = Backbone(_backbone_config(config))
        backbone.load_state_dict(own)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path.name} holds no backbone of the preset tiny: {error}") from error
    return backbone


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        config = json.loads(path.with_suffix(".json").read_text())["config"]
        return {name: tensor.float() for name, tensor in load_file(path).items()}, config
    except OSError as error:
        raise CheckpointError(f"a checkpoint is a pair of files; {error.filename} cannot be read") from error
    except (KeyError, TypeError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path.name} is not a checkpoint: {error}") from error


def _backbone_config(config: Mapping[str, Any]) -> BackboneConfig:
    sizes = {name: size for name, size in config["backbone"].items() if name != "kind"}
    return BackboneConfig(**{**sizes, "widths": tuple(sizes["widths"])})
