"""Names of videos as PoseMark has them, ``sub-X_ses-Y_cam-Z`` of letters and digits of ASCII."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_SESSION = re.compile(r"sub-[A-Za-z0-9]+_ses-[A-Za-z0-9]+_cam-[A-Za-z0-9]+")
_LONGEST = 40


def session_names(names: Iterable[str]) -> list[str]:
    """A name for each of some videos, no two alike; those that are such names stay, unless one stands there twice.

    Args:
        names: Of the videos.
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        number, candidate = 1, name if _SESSION.fullmatch(name) else f"sub-{_plain(name)}_ses-1_cam-1"
        while candidate.casefold() in taken:
            number += 1
            candidate = f"sub-{_plain(name)}_ses-{number}_cam-1"
        taken.add(candidate.casefold())
        found.append(candidate)
    return found


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKD", name)
    return re.sub(r"[^A-Za-z0-9]", "", text)[:_LONGEST] or "video"
