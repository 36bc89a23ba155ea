"""BlazePose: a small network that finds the joints of one person on a picture cut out around them.

The architecture is that of the model "full" of MediaPipe Pose (Bazarevsky et al., *BlazePose*, arXiv 2006.10204, in the
later form that Google published with MediaPipe under the Apache License 2.0), as far as landmarks need it: heat maps,
the outline and places in space are left out. Batch normalisation is part of the convolutions.
"""

from __future__ import annotations

from pathlib import Path

import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from models.compute.devices import in_full
from models.errors import CheckpointError

#: Side of the picture that the network sees, in pixels.
SIDE = 256

#: What the network finds, in its order. The last six are no joints: see ``models.people.sight``.
LANDMARKS = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index", "left_thumb",
    "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle", "left_heel",
    "right_heel", "left_foot", "right_foot", "middle", "reach", "palm_1", "palm_2", "palm_3", "palm_4",
)  # fmt: skip

_VALUES = 5  # of a landmark: x, y, depth, visibility, presence
_STEM = 24  # channels
# Per block: channels before the depthwise convolution, its side, its stride, channels after.
_BLOCKS = (
    (64, 3, 2, 24), (144, 3, 1, 24), (144, 5, 2, 32), (192, 5, 1, 32), (192, 3, 2, 64), (384, 3, 1, 64),
    (384, 3, 1, 64), (384, 5, 1, 88), (528, 5, 1, 88), (528, 5, 1, 88), (528, 5, 2, 144), (864, 5, 1, 144),
    (864, 5, 1, 144), (864, 5, 1, 144),
)  # fmt: skip
_NARROW, _WIDE, _LAST = 16, 864, 288
_STEPS = (2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1)  # strides towards the landmarks


class Inverted(nn.Module):
    """A block of MobileNetV2 (Sandler et al., CVPR 2018)."""

    def __init__(self, before: int, width: int, side: int, stride: int, after: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(before, width, 1)
        self.depthwise = nn.Conv2d(width, width, side, stride, side // 2, groups=width)
        self.project = nn.Conv2d(width, after, 1)
        self.residual = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """``(N, before, h, w)`` to ``(N, after, h / stride, w / stride)``."""
        y: Tensor = self.project(F.relu6(self.depthwise(F.relu6(self.expand(x)))))
        return x + y if self.residual else y


class Separable(nn.Module):
    """A depthwise and a pointwise convolution beside what goes past them."""

    def __init__(self, width: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, stride, 1 if stride == 1 else 0, groups=width)
        self.project = nn.Conv2d(width, width, 1)
        self.halves = stride == 2

    def forward(self, x: Tensor) -> Tensor:
        """``(N, width, h, w)`` to the same with ``h / stride`` and ``w / stride``."""
        past = F.max_pool2d(x, 2) if self.halves else x
        y = F.pad(x, (0, 1, 0, 1)) if self.halves else x  # as TensorFlow pads: below and to the right
        return F.relu6(past + self.project(F.relu6(self.depthwise(y))))


class PeopleNetwork(nn.Module):
    """The network; convolutions are made in the order in which the published file has them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM, 3, 2, 1)
        self.first = nn.Conv2d(_STEM, _STEM, 3, 1, 1, groups=_STEM)
        self.narrow = nn.Conv2d(_STEM, _NARROW, 1)
        blocks, before = [], _NARROW
        for width, side, stride, after in _BLOCKS:
            blocks.append(Inverted(before, width, side, stride, after))
            before = after
        self.blocks = nn.Sequential(*blocks)
        self.widen = nn.Conv2d(before, _WIDE, 1)
        self.wide = nn.ModuleList(nn.Conv2d(_WIDE, _WIDE, 3, 1, 1, groups=_WIDE) for _ in range(2))
        self.gather = nn.Conv2d(_WIDE, _LAST, 1)
        self.steps = nn.Sequential(*(Separable(_LAST, stride) for stride in _STEPS))
        self.landmarks = nn.Conv2d(_LAST, len(LANDMARKS) * _VALUES, 2)
        self.person = nn.Conv2d(_LAST, 1, 2)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Find the joints, in float32 wherever it is called: bf16 would move them by several pixels.

        Args:
            images: ``(N, 3, SIDE, SIDE)`` RGB in 0 to 255.

        Returns:
            ``(N, L, 2)`` places in input pixels, pixel centres at integers, and ``(N,)`` the probability that there is
            a person, both float32.
        """
        with in_full(images.device):
            x = (images.float() / 255).contiguous(memory_format=torch.channels_last)
            x = self.narrow(F.relu6(self.first(F.relu6(self.stem(x)))))
            x = F.relu6(self.widen(self.blocks(x)))
            for convolution in self.wide:
                x = F.relu6(convolution(x))
            x = self.steps(F.relu6(self.gather(x)))
            values = self.landmarks(x).view(len(x), len(LANDMARKS), _VALUES)
            person = self.person(x).flatten().sigmoid()
        return values[..., :2] - 0.5, person


def load(path: Path) -> PeopleNetwork:
    """The network with its weights.

    Raises:
        CheckpointError: They cannot be read, or are of another network.
    """
    try:
        state = load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"the weights that find people cannot be read from {path}: {error}") from error
    network = PeopleNetwork()
    try:
        network.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{path.name} holds no weights of the network that finds people: {error}") from error
    return network.eval().requires_grad_(False)
