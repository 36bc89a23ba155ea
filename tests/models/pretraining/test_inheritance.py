"""A network begins with what another learnt around its backbone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.errors import CheckpointError
from models.pretraining.inheritance import inherit
from models.stdpose import checkpoints
from models.stdpose.candidates import sources
from models.stdpose.network import StdPose
from models.stdpose.presets import PRESETS, build
from models.weights import TINY


@pytest.fixture(scope="module")
def begun() -> tuple[StdPose, StdPose, StdPose]:
    """A network of the preset lite with the head of tiny, that without it, and tiny."""
    lite, before, tiny = build("lite"), build("lite"), checkpoints.load(TINY)
    inherit(lite, tiny)
    return lite, before, tiny


def test_all_but_the_backbone_is_taken_over(begun: tuple[StdPose, StdPose, StdPose]) -> None:
    lite, before, tiny = (one.state_dict() for one in begun)
    for name, weight in lite.items():
        if name.startswith("backbone."):
            assert torch.equal(weight, before[name])
        elif weight.shape == tiny[name].shape:
            assert torch.equal(weight, tiny[name])


def test_what_it_would_do_with_matches_begins_at_zero(begun: tuple[StdPose, StdPose, StdPose]) -> None:
    lite, _, tiny = (one.state_dict() for one in begun)
    known = tiny["from_hints.weight"].shape[1]
    assert torch.equal(lite["from_hints.weight"][:, :known], tiny["from_hints.weight"])
    assert not lite["from_hints.weight"][:, known:].any()
    assert not lite["head.1.weight"][len(tiny["head.1.weight"]) :].any()


def test_sources_keep_their_names(begun: tuple[StdPose, StdPose, StdPose]) -> None:
    lite, before, tiny = (one.state_dict()["verifier.source"] for one in begun)
    ours, theirs = sources(4), sources(0)
    for name in ("forward", "flow", "from_linear", "detector"):
        assert torch.equal(lite[ours.index(name)], tiny[theirs.index(name)])
    assert torch.equal(lite[ours.index("from_path")], tiny[theirs.index("from_linear")])
    assert torch.equal(lite[ours.index("match_2")], before[ours.index("match_2")])


def test_a_network_of_another_width_is_refused() -> None:
    wide = StdPose(replace(PRESETS["tiny"], channels=192))
    with pytest.raises(CheckpointError, match="of another size"):
        inherit(build("tiny"), wide)
