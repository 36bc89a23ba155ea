"""Names that folders and files can have."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_LONGEST = 50


def folder_names(names: Iterable[str], longest: int = _LONGEST) -> list[str]:
    """Names for folders, one for each name: letters, digits, ``.``, ``_`` and ``-``, and no two alike.

    Names that are right already stay as they are, unless one of them stands there twice.

    Args:
        names: What is to be stored in them, such as videos.
        longest: Letters that are left of a name, without the number of one that stands there twice.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = folder_name(name, longest)
        number, candidate = 1, plain
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{plain}-{number}"
        taken.add(candidate.casefold())
        found.append(candidate)
    return found


def folder_name(name: str, longest: int = _LONGEST) -> str:
    """A name for a folder; ``video`` where nothing of it is left."""
    text = unicodedata.normalize("NFC", name)
    plain = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in text)[:longest]
    return plain.strip("._- ") or "video"
