"""The weights that come with the package can be read, and are those that the file beside them tells of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import checkpoints
from models.presets import PRESETS
from models.weights import LITE, TINY


@pytest.mark.parametrize(("path", "preset"), [(TINY, "tiny"), (LITE, "lite")])
def test_weights_are_those_that_are_told_of(path: Path, preset: str) -> None:
    assert checkpoints.load(path).config == PRESETS[preset]
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == checkpoints.digest(path)
