"""Weights that come with the package; README.md beside them says where they come from and what they earned."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: The preset ``tiny``, trained on rendered videos.
TINY = Path(__file__).parent / "stdpose-tiny.safetensors"

#: The preset ``lite``, with a backbone from ImageNet, trained on rendered and on real videos; not finished yet.
LITE = Path(__file__).parent / "stdpose-lite.safetensors"

#: The network of ``models.people``, which Google trained to find people's joints; half precision.
PEOPLE = Path(__file__).parent / "people-blazepose.safetensors"


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
