"""Arrays and tensors as bytes on a shelf, which may be torn, damaged or somebody else's: then they are none."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

_MAGIC = b"posetween kept 1"
_NUMBER = 4  # bytes
_HEAD = len(_MAGIC) + 2 * _NUMBER
_ALIGNED = 64


def encode(name: str, arrays: Sequence[np.ndarray | Tensor]) -> bytes:
    """Arrays and tensors as bytes.

    Args:
        name: What they are found by; who reads them has to know it.
        arrays: Of whatever shapes and types, tensors on whatever device.
    """
    entries, parts = [], []
    for array in arrays:
        tensor = not isinstance(array, np.ndarray)
        plain = np.ascontiguousarray(_bits(array))
        entries.append([str(array.dtype), plain.dtype.str, plain.shape, tensor])
        parts.append(plain)
    about = json.dumps([name, entries]).encode()
    body = [about.ljust(_padded(_HEAD + len(about)) - _HEAD)]
    for part in parts:
        body.append(part.tobytes().ljust(_padded(part.nbytes), b"\0"))
    whole = b"".join([len(about).to_bytes(_NUMBER, "little"), *body])
    return b"".join([_MAGIC, zlib.crc32(whole).to_bytes(_NUMBER, "little"), whole])


def decode(name: str, data: bytes) -> tuple[Any, ...] | None:
    """The arrays and tensors that were given to ``encode``, tensors on the CPU; None where these bytes are not they."""
    if len(data) < _HEAD or not data.startswith(_MAGIC):
        return None
    whole = memoryview(bytearray(data))  # what is read shall be writable, as PyTorch wants it
    if zlib.crc32(whole[len(_MAGIC) + _NUMBER :]) != int.from_bytes(whole[len(_MAGIC) : _HEAD - _NUMBER], "little"):
        return None
    size = int.from_bytes(whole[_HEAD - _NUMBER : _HEAD], "little")
    told, entries = json.loads(bytes(whole[_HEAD : _HEAD + size]))
    if told != name:
        return None
    values, at = [], _padded(_HEAD + size)
    for dtype, stored, shape, tensor in entries:
        count = int(np.prod(shape))
        plain = np.frombuffer(whole, np.dtype(stored), count, at).reshape(shape)
        values.append(_tensor(plain, dtype) if tensor else plain)
        at += _padded(plain.nbytes)
    return tuple(values)


def size(arrays: Sequence[np.ndarray | Tensor]) -> int:
    """Bytes that arrays and tensors take."""
    return sum(array.nbytes for array in arrays)


def _padded(count: int) -> int:
    return -(-count // _ALIGNED) * _ALIGNED


def _bits(array: np.ndarray | Tensor) -> np.ndarray:
    if isinstance(array, np.ndarray):
        return array
    import torch

    here = array.detach().cpu()
    plain: np.ndarray = (here.view(torch.int16) if here.dtype == torch.bfloat16 else here).numpy()
    return plain


def _tensor(plain: np.ndarray, dtype: str) -> Tensor:
    import torch

    tensor = torch.from_numpy(plain)
    return tensor.view(torch.bfloat16) if dtype == "torch.bfloat16" else tensor
