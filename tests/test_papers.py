"""SECURITY.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_what_is_promised_is_tested():
    named = []
    for line in (ROOT / "SECURITY.md").read_text().splitlines():
        if line.startswith("| ") and "tests/" in line:
            folder = Path()
            for name in re.findall(r"`([\w/]+\.py|tests/[\w/]+/)`", line.rpartition("| ")[2] or line.split("|")[-2]):
                folder = Path(name).parent if "/" in name else folder
                named.append(folder / Path(name).name)
    assert len(named) > 15
    assert [str(name) for name in named if not (ROOT / name).exists()] == []
