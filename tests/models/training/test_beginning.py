"""What a training begins with: a checkpoint, or weights that somebody published."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Dinov2Config, Dinov2Model, ResNetConfig, ResNetModel

from models.estimators.checkpoints import load
from models.estimators.presets import build, configure
from models.training.schedule import optimizer_of
from models.training.train import TrainingError, train
from tests.models.training.quick import QUICK


def test_a_training_begins_with_a_checkpoint(fly, split, finished, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    base = finished.folder / "best.safetensors"
    still = replace(QUICK, epochs=1, rate=0.0)
    list(train(still, fly[1], *split, tmp_path / "second", base=base))
    old, new = load_file(base), load_file(tmp_path / "second" / "best.safetensors")
    assert all(torch.equal(old[name], new[name]) for name in old)


def test_another_estimator_begins_with_what_all_have_in_common(fly, split, finished, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    base = finished.folder / "best.safetensors"
    still = replace(QUICK, estimator="stdpose", epochs=1, rate=0.0)
    list(train(still, fly[1], *split, tmp_path / "second", base=base))
    old, new = load_file(base), load_file(tmp_path / "second" / "best.safetensors")
    common = [name for name in old if name.split(".")[0] in ("backbone", "embed", "embed_finer", "position", "head")]
    assert len(common) < len(old)
    assert all(torch.equal(old[name], new[name]) for name in common)
    for estimator in ("stdpose", QUICK.estimator):
        wider = replace(still, estimator=estimator, changes={**QUICK.changes, "head_channels": 40})
        with pytest.raises(TrainingError, match=f"holds a {QUICK.estimator} of another size"):
            list(train(wider, fly[1], *split, tmp_path / "third", base=base))


def test_a_training_begins_with_published_weights(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    published = tmp_path / "resnet"
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "layer_type": "basic"}
    ResNetModel(ResNetConfig(**sizes)).save_pretrained(published)
    config = replace(QUICK, epochs=2, pretrained=str(published), frozen=0.5)
    stopped = train(config, fly[1], *split, tmp_path / "first")
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    state, weights = (
        load_file(path / name)
        for path, name in ((tmp_path / "first", "state.safetensors"), (published, "model.safetensors"))
    )
    stem = "embedder.embedder.convolution.weight"
    (kept,) = (state[name] for name in state if name.startswith("network") and name.endswith(stem))
    assert torch.equal(kept, weights[stem])  # frozen so far
    next(train(config, fly[1], *split, tmp_path / "first"))
    loaded = load(tmp_path / "first" / "best.safetensors")
    assert loaded.recipe["training"]["pretrained"] == "resnet"
    assert not torch.equal(loaded.estimator.backbone.state_dict()[f"body.{stem}"], weights[stem])
    base = tmp_path / "first" / "best.safetensors"
    shutil.rmtree(published)
    going_on = replace(QUICK, epochs=1, estimator="stdpose")
    list(train(going_on, fly[1], *split, tmp_path / "second", base))
    assert load(tmp_path / "second" / "best.safetensors").estimator.config.backbone == loaded.estimator.config.backbone
    with pytest.raises(TrainingError, match="brings a backbone of its own"):
        list(train(config, fly[1], *split, tmp_path / "third", base))
    with pytest.raises(TrainingError, match=r"resnet holds no config\.json and model\.safetensors"):
        list(train(config, fly[1], *split, tmp_path / "third"))


def test_new_parts_learn_faster_than_what_was_trained_before(tmp_path: Path) -> None:
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 56}
    Dinov2Model(Dinov2Config(**sizes)).save_pretrained(tmp_path)
    network = build("single_frame", configure("single_frame", "tiny", 3), pretrained=tmp_path)
    groups = optimizer_of(network, rate=1.0, backbone_rate=0.5, layer_decay=0.5, weight_decay=0.1).param_groups
    rates = {id(one): group["peak"] for group in groups for one in group["params"]}
    named = {name: rates[id(one)] for name, one in network.named_parameters()}
    assert len(rates) == len(named)
    expected = {
        "head.lateral.weight": 1.0,
        "backbone.around.stages.0.first.weight": 1.0,
        "backbone.lateral.0.0.weight": 1.0,
        "backbone.body.layernorm.weight": 0.5,
        "backbone.body.encoder.layer.2.norm1.weight": 0.5,
        "backbone.body.encoder.layer.0.norm1.weight": 0.125,
        "backbone.body.embeddings.patch_embeddings.projection.weight": 0.0625,
    }
    assert {name: named[name] for name in expected} == expected
