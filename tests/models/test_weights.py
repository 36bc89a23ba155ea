"""The weights that come with the package can be read, and are those that the file beside them tells of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.people.network import load
from models.stdpose import checkpoints
from models.stdpose.presets import PRESETS
from models.weights import LITE, PEOPLE, TINY, digest


@pytest.mark.parametrize(("path", "preset"), [(TINY, "tiny"), (LITE, "lite")])
def test_weights_are_those_that_are_told_of(path: Path, preset: str) -> None:
    assert checkpoints.load(path).config == PRESETS[preset]
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == digest(path)


def test_the_weights_that_find_people_are_those_that_are_told_of() -> None:
    card = json.loads(PEOPLE.with_suffix(".json").read_text())
    assert card["sha256"] == digest(PEOPLE)
    assert card["licence"] == "Apache-2.0"
    assert card["parameters"] == sum(weights.numel() for weights in load(PEOPLE).parameters())
