"""The parts that the papers name, each by itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from models.estimators.cmpose import CmPose, CmPoseConfig, merge
from models.estimators.deformable import DeformableCrossAttention, ModulatedDeformConv, sample
from models.estimators.focused_regions import BilayerMask, FocusedRegionsConfig
from models.estimators.jmpose import orthogonality


def test_sampling_at_cells_gives_the_cells() -> None:
    maps = torch.rand(2, 3, 4, 5)
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    places = torch.stack([x, y], dim=-1).flatten(0, 1).expand(2, 1, 20, 2)
    torch.testing.assert_close(sample(maps, places).view(2, 3, 4, 5), maps)


def test_sampling_beyond_the_border_gives_nothing() -> None:
    assert not sample(torch.ones(1, 1, 4, 4), torch.tensor([[[[-2.0, 0.0], [0.0, 5.0]]]])).any()


def test_a_deformable_convolution_without_offsets_is_a_convolution() -> None:
    layer = ModulatedDeformConv(8, 2)
    maps = torch.rand(2, 8, 6, 5)
    out = layer(maps, torch.zeros(2, 36, 6, 5), torch.ones(2, 18, 6, 5))
    # The taps of a group of four channels lie side by side: (group, channel, tap).
    kernel = layer.mixing.weight.view(8, 8, 3, 3)
    torch.testing.assert_close(out, F.conv2d(maps, kernel, layer.mixing.bias, padding=1), atol=1e-5, rtol=1e-4)


def test_an_offset_of_a_cell_shifts_the_map() -> None:
    layer = ModulatedDeformConv(8, 2)
    maps = torch.rand(1, 8, 6, 6)
    offsets = torch.zeros(1, 2, 9, 2, 6, 6)
    offsets[:, :, :, 0] = 1  # all taps one cell to the right
    moved = layer(maps, offsets.flatten(1, 3), torch.ones(1, 18, 6, 6))
    plain = layer(maps, torch.zeros(1, 36, 6, 6), torch.ones(1, 18, 6, 6))
    torch.testing.assert_close(moved[..., 1:5, 1:4], plain[..., 1:5, 2:5])


def test_attention_looks_only_at_the_subject_where_it_can() -> None:
    torch.manual_seed(0)
    layer = DeformableCrossAttention(16, 4, (4, 4), reach=0.25)
    tokens, source = torch.randn(1, 16, 16), torch.randn(1, 16, 16)
    nowhere = layer(tokens, source, torch.full((1, 16), 1e-4))
    everywhere = layer(tokens, source, torch.ones(1, 16))
    assert nowhere.stray > everywhere.stray
    # Where the mask is shut nothing of the other frame comes through but the bias.
    assert nowhere.tokens.std(dim=1).max() < everywhere.tokens.std(dim=1).max() / 10


def test_after_training_only_the_likeliest_tokens_are_looked_at() -> None:
    config = FocusedRegionsConfig(keypoints=3, height=64, width=64, human_share=0.5)
    mask = BilayerMask(config).eval()
    bias = mask._bias(torch.linspace(0.01, 0.99, 16)[None], 0.5)
    assert torch.isfinite(bias).sum() == 8
    assert torch.isfinite(bias[0, 8:]).all()
    mask.train()
    assert torch.isfinite(mask._bias(torch.rand(1, 16), 0.5)).all()


def test_similar_tokens_are_merged() -> None:
    torch.manual_seed(0)
    centres = 10 * torch.randn(3, 8)
    tokens = (centres[:, None] + 0.1 * torch.randn(3, 7, 8)).flatten(0, 1)[None]
    mean, member = merge(tokens, torch.ones(1, 21), 3)
    assert {tuple(member[0, 7 * n : 7 * n + 7].unique().tolist()) for n in range(3)} == {(0,), (1,), (2,)}
    nearest = torch.cdist(mean[0], centres).amin(dim=1)
    assert nearest.max() < 0.5


def test_merging_few_tokens_merges_none() -> None:
    mean, member = merge(torch.randn(2, 3, 8), torch.ones(2, 3), 2)
    assert mean.shape == (2, 0, 8)
    assert member.shape == (2, 3)


def test_refining_keeps_each_token_in_its_place() -> None:
    config = CmPoseConfig(keypoints=3, height=64, width=64, causal=0.25, clusters=0.0)
    network = CmPose(config).eval()
    network.fine = torch.nn.ModuleList()  # nothing changes the tokens then
    tokens = torch.randn(2, 48, config.channels)
    # Equal importance of 1 / 48 leaves the weight of chosen tokens at 1.
    refined = network._refine(tokens, torch.full((2, 48), 1 / 48))
    torch.testing.assert_close(refined, tokens)


def test_streams_that_share_nothing_are_orthogonal() -> None:
    torch.manual_seed(0)
    joint, motion, heat = (torch.randn(16, 8, 32, 32) for _ in range(3))
    shared = torch.randn(16, 8, 32, 32)
    free = orthogonality(joint, motion, heat)
    assert free < 0.01
    assert orthogonality(joint + 3 * shared, motion + 3 * shared, heat) > 10 * free
    # What both share may stay where the task needs it.
    assert orthogonality(joint + 3 * shared, motion + 3 * shared, shared) < 0.1 * orthogonality(
        joint + 3 * shared, motion + 3 * shared, heat
    )
