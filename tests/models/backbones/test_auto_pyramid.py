"""Any backbone of transformers can carry an estimator, its weights read from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoModelForImageClassification,
    BertConfig,
    ConvNextConfig,
    Dinov2Config,
    HieraConfig,
    PreTrainedConfig,
    PvtV2Config,
    ResNetConfig,
    SwinConfig,
    VitPoseBackbone,
    VitPoseBackboneConfig,
)

from models.backbones.auto_pyramid import AutoPyramid
from models.backbones.build import build_backbone, read_backbone
from models.backbones.config import AutoPyramidConfig, BackboneConfig, VitPyramidConfig
from models.backbones.vitpose import VitPyramid
from models.errors import CheckpointError
from models.estimators.checkpoints import load, save
from models.estimators.losses import Truth, losses
from models.estimators.presets import build, configure
from pose.skeleton import Skeleton

RESNET = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic")
SWIN = SwinConfig(embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2])
DINOV2 = Dinov2Config(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=56)
KINDS: dict[str, PreTrainedConfig] = {
    "dinov2": DINOV2,  # patches of 14 pixels, one level
    "convnext": ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1]),
    "pvt_v2": PvtV2Config(hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2]),
    "swin": SWIN,
    "resnet": RESNET,
}
TINY = BackboneConfig()


def saved(folder: Path, config: PreTrainedConfig, architecture: Any = AutoModel) -> Path:
    """A folder as somebody publishes it."""
    torch.manual_seed(0)
    architecture.from_config(config).save_pretrained(folder)
    return folder


def images(count: int = 2, height: int = 96, width: int = 64) -> torch.Tensor:
    return 255 * torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_describes_crops_at_every_stride(kind: str, tmp_path: Path) -> None:
    backbone = read_backbone(saved(tmp_path, KINDS[kind]), TINY).eval()
    with torch.inference_mode():
        levels = backbone(images())
        alone = backbone(images()[1:])
    assert [tuple(level.shape) for level in levels] == [(2, 24, 16, 64), (2, 12, 8, 64), (2, 6, 4, 64)]
    for level, one in zip(levels, alone, strict=True):
        torch.testing.assert_close(level.norm(dim=-1), torch.ones(level.shape[:3]))
        torch.testing.assert_close(level[1:], one, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", [AutoModel, AutoModelForImageClassification])
@pytest.mark.parametrize("kind", KINDS)
def test_all_weights_are_those_of_the_folder(kind: str, architecture: Any, tmp_path: Path) -> None:
    file = saved(tmp_path, KINDS[kind], architecture) / "model.safetensors"
    marked = {name: torch.full_like(weights, 7) for name, weights in load_file(file).items()}
    save_file(marked, file, metadata={"format": "pt"})
    backbone = read_backbone(tmp_path, TINY)
    assert isinstance(backbone, AutoPyramid)
    parameters = dict(backbone.pretrained.named_parameters())
    missed = {name for name, weights in parameters.items() if not bool((weights == 7).all())}
    assert {name.split(".")[0] for name in missed} <= {"hidden_states_norms"}
    assert len(parameters) - len(missed) > 10


def test_a_change_shows_where_it_is(tmp_path: Path) -> None:
    """Patches of 14 pixels do not divide the crop: what they see must not drift across it."""
    backbone = read_backbone(saved(tmp_path, DINOV2), TINY).eval()
    plain = torch.full((1, 3, 128, 128), 100.0)
    for row, column in ((0, 0), (7, 7), (2, 6)):
        marked = plain.clone()
        marked[..., 16 * row : 16 * row + 16, 16 * column : 16 * column + 16] += 100
        with torch.inference_mode():
            changed = (backbone(marked)[2] - backbone(plain)[2])[0].norm(dim=-1)
        assert divmod(int(changed.argmax()), 8) == (row, column)


def test_colours_are_those_that_the_folder_tells(tmp_path: Path) -> None:
    saved(tmp_path, RESNET)
    assert read_backbone(tmp_path, TINY).config.mean == (0.485, 0.456, 0.406)  # type: ignore[union-attr]
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}))
    backbone = read_backbone(tmp_path, TINY)
    assert isinstance(backbone, AutoPyramid)
    assert (backbone.config.mean, backbone.config.deviation) == ((0.5,) * 3, (0.25,) * 3)
    torch.testing.assert_close(backbone.mean.flatten(), torch.full((3,), 127.5))


@pytest.mark.parametrize("kind", KINDS)
def test_an_estimator_stands_on_it_and_is_kept_whole(kind: str, tmp_path: Path) -> None:
    config = configure("stdpose", "tiny", 3, height=64, width=48)
    estimator = build("stdpose", config, seed=2, pretrained=saved(tmp_path / "published", KINDS[kind]))
    again = build("stdpose", config, seed=2, pretrained=tmp_path / "published")
    assert all(torch.equal(one, other) for one, other in zip(estimator.parameters(), again.parameters(), strict=True))
    frames = images(3, 64, 48)[None]
    truth = Truth(torch.full((1, 3, 3, 2), 20.0), torch.ones(1, 3, 3))
    sum(losses(estimator.train()(frames), truth, torch.tensor([[0, 1]])).values()).backward()  # type: ignore[union-attr]
    learning = [
        name for name, one in estimator.pretrained.named_parameters() if one.grad is not None and one.grad.any()
    ]
    assert len(learning) > 10
    skeleton = Skeleton(name="three", keypoints=tuple("abc"))
    save(tmp_path / "best.safetensors", estimator, "stdpose", skeleton, {})
    for path in (tmp_path / "published").iterdir():
        path.unlink()  # a checkpoint is whole without it
    loaded = load(tmp_path / "best.safetensors")
    assert loaded.estimator.config == estimator.config
    with torch.inference_mode():
        assert torch.equal(loaded.estimator(frames).heatmaps, estimator.eval()(frames).heatmaps)


def test_vitpose_takes_the_preset_of_its_size(tmp_path: Path) -> None:
    size = VitPoseBackboneConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, out_indices=[2])
    VitPoseBackbone(size).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="holds a ViTPose; choose the preset of its size"):
        read_backbone(tmp_path, TINY)
    own = VitPyramidConfig(width=32, depth=2, heads=2, detail=(8, 8, 16), channels=16)
    assert isinstance(read_backbone(tmp_path, own), VitPyramid)


def test_what_is_no_backbone_is_refused(tmp_path: Path) -> None:
    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds a bert, which is no backbone; known are .*convnext.*dinov2"):
        read_backbone(tmp_path, TINY)


def test_code_that_lies_with_weights_is_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "code.py").write_text(f"open({str(ran)!r}, 'w').close()")
    described = {"model_type": "own", "auto_map": {"AutoConfig": "code.OwnConfig", "AutoBackbone": "code.Own"}}
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(CheckpointError, match="that can be read"):
        read_backbone(tmp_path, TINY)
    assert not ran.exists()


def test_missing_weights_are_not_made_up(tmp_path: Path) -> None:
    file = saved(tmp_path, RESNET) / "model.safetensors"
    weights = load_file(file)
    del weights["encoder.stages.1.layers.0.layer.0.convolution.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks weights: encoder\.stages\.1\.layers\.0\."):
        read_backbone(tmp_path, TINY)


@pytest.mark.parametrize("spoil", ["truncated", "pickled", "gone"])
def test_unreadable_weights_are_refused(spoil: str, tmp_path: Path) -> None:
    file = saved(tmp_path, RESNET) / "model.safetensors"
    if spoil == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    else:
        if spoil == "pickled":
            torch.save(load_file(file), tmp_path / "pytorch_model.bin")
        file.unlink()
    with pytest.raises(CheckpointError, match="that can be read"):
        read_backbone(tmp_path, TINY)


def test_a_backbone_that_takes_other_crops_only_is_said_so(tmp_path: Path) -> None:
    saved(tmp_path, HieraConfig(embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]))
    with pytest.raises(CheckpointError, match="does not take crops of 64 x 48 pixels"):
        build("single_frame", configure("single_frame", "tiny", 3, height=64, width=48), pretrained=tmp_path)


def test_a_checkpoint_cannot_name_what_is_no_backbone() -> None:
    with pytest.raises(ValueError, match="'timm_backbone' is no backbone"):
        build_backbone(AutoPyramidConfig(body={"model_type": "timm_backbone"}))


def test_the_package_has_weights_for_tiny_alone() -> None:
    with pytest.raises(CheckpointError, match="weights for the preset tiny alone"):
        build("single_frame", configure("single_frame", "tiny", 3, backbone=BackboneConfig(channels=32)))
