"""HDF5 files of strangers: what is read of them lies in the file itself and is not larger than it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from formats.errors import FormatError, refuse
from formats.files import read_head
from formats.rows import MAX_POINTS

MAGIC = b"\x89HDF\r\n\x1a\n"

#: Links that follow one another; they may lead in a circle.
_MOST_LINKS = 8

Result = TypeVar("Result")


class Hdf5:
    """An open file.

    Args:
        path: Where it is.
        file: Of h5py.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self._file = file

    def has(self, name: str) -> bool:
        """Whether there is such a dataset or group in the file itself."""
        return self._here(name) is not None

    def array(self, name: str) -> np.ndarray:
        """A dataset.

        Raises:
            FormatError: There is none, it lies elsewhere, or it says that it is too large.
        """
        dataset = self._dataset(name)
        if dataset.size is None or dataset.size > 3 * MAX_POINTS or dataset.nbytes > 64 * MAX_POINTS:
            raise refuse(self.path, name, f"a dataset of the shape {dataset.shape} is too large")
        return np.asarray(dataset[()])

    def blobs(self, name: str) -> Iterator[bytes]:
        """The rows of a dataset as bytes, one at a time: what follows the end of one is zeros.

        Raises:
            FormatError: There is none, or it lies elsewhere.
        """
        dataset = self._dataset(name)
        for row in range(dataset.shape[0] if dataset.shape else 0):
            yield np.asarray(dataset[row]).astype(np.uint8, casting="unsafe").tobytes()

    def texts(self, name: str) -> list[str]:
        """A dataset of texts."""
        return [decoded(one) for one in self.array(name).reshape(-1).tolist()]

    def attribute(self, node: str, name: str) -> Any:
        """What a dataset or group says of itself; None where it says nothing, or is not there."""
        found = self._here(node)
        return None if found is None else found.attrs.get(name)

    def names(self, name: str) -> list[str]:
        """What a group holds; nothing where it is none."""
        found = self._here(name)
        return list(found.keys()) if hasattr(found, "keys") else []

    def kind(self, name: str) -> str:
        """The type that NWB says a dataset or group is of; empty where it says none."""
        return decoded(self.attribute(name, "neurodata_type") or "")

    def target(self, name: str) -> str:
        """Where a link, or a chain of them, leads within the file; the place itself where it is none."""
        import h5py

        for _ in range(_MOST_LINKS):
            _, link = self._walk(name)
            if not isinstance(link, h5py.SoftLink):
                break
            name = str(link.path).strip("/")
        return name

    def _dataset(self, name: str) -> Any:
        dataset = self._node(name)
        if not hasattr(dataset, "shape"):
            raise refuse(self.path, name, "this is no dataset")
        if dataset.is_virtual or dataset.external:
            raise refuse(self.path, name, "this dataset lies in another file")
        return dataset

    def _here(self, name: str) -> Any:
        """A dataset or group; None where there is none, or a link that leads elsewhere: it is not followed."""
        node, _ = self._walk(name)
        return node

    def _node(self, name: str) -> Any:
        node, link = self._walk(name)
        if node is None:
            raise refuse(self.path, name, "this is missing" if link is None else "this is a link to elsewhere")
        return node

    def _walk(self, name: str) -> tuple[Any, Any]:
        """A dataset or group and the last link on the way there; None for both where there is none.

        A link that leads elsewhere is not followed: there is no dataset or group then.
        """
        import h5py

        node, link = self._file, None
        for part in filter(None, name.split("/")):
            link = node.get(part, getlink=True) if hasattr(node, "keys") else None
            if not isinstance(link, h5py.HardLink):
                return None, link
            node = node[part]
        return node, link


def read_hdf5(path: Path, read: Callable[[Hdf5], Result]) -> Result:
    """Read a file.

    Args:
        path: The file.
        read: What is read of it.

    Raises:
        FormatError: It is not there or broken, ``read`` refuses it, or h5py is not installed.
    """
    if read_head(path, len(MAGIC)) != MAGIC:
        raise refuse(path, "", "this is no HDF5 file")
    h5py = module(path)
    try:
        with h5py.File(path, "r") as file:
            return read(Hdf5(path, file))
    except FormatError:
        raise
    except Exception as error:  # h5py raises whatever the damage leads to
        raise refuse(path, "", f"a broken HDF5 file ({str(error)[:200]})") from None


def module(path: Path) -> Any:
    """The library; ``path`` is what it is needed for.

    Raises:
        FormatError: It is not installed.
    """
    return needs(path, "h5py")


def needs(path: Path, name: str) -> Any:
    """A library of the extra ``formats``; ``path`` is what it is needed for.

    Args:
        path: For the error.
        name: What is imported.

    Raises:
        FormatError: It is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        sentence = f"this needs {name.replace('_', '-')}: pip install 'posetween[formats]'"
        raise refuse(path, "", sentence) from None


def decoded(text: object) -> str:
    """A text as HDF5 has it."""
    return text.decode() if isinstance(text, bytes) else str(text)
