from __future__ import annotations

import math

import torch

from models.estimators.estimator import PoseOutput
from models.estimators.losses import KEYPOINT, Truth, heatmap_loss, losses
from models.estimators.targets import gaussians

EDGES = torch.tensor([[0, 1]])
XY = torch.tensor([[[[10.0, 20.0], [40.0, 30.0]]]])


def test_the_right_heat_maps_cost_nothing() -> None:
    heat = gaussians(XY[:, 0], (16, 16))
    assert heatmap_loss(heat, XY[:, 0], torch.ones(1, 2)) == 0


def test_a_point_without_weight_teaches_nothing() -> None:
    heat = torch.zeros(1, 2, 16, 16, requires_grad=True)
    heatmap_loss(heat, XY[:, 0], torch.tensor([[1.0, 0.0]])).backward()
    assert heat.grad is not None
    assert heat.grad[0, 0].any()
    assert not heat.grad[0, 1].any()


def test_half_the_weight_is_half_the_pull() -> None:
    heat = torch.zeros(1, 2, 16, 16)
    target = gaussians(XY[:, 0], (16, 16)).square().sum(dim=(-2, -1))[0]
    weighed = heatmap_loss(heat, XY[:, 0], torch.tensor([[1.0, 0.5]]))
    torch.testing.assert_close(weighed, (target[0] + 0.5 * target[1]) / 1.5)


def test_labels_of_other_frames_teach_only_what_sees_each_frame() -> None:
    xy = XY.expand(1, 3, 2, 2)
    weight = torch.tensor([[[1.0, 1.0], [0.0, 0.0], [1.0, 1.0]]])
    output = PoseOutput(torch.zeros(1, 2, 16, 16), initial=torch.zeros(1, 3, 2, 16, 16))
    found = losses(output, Truth(xy, weight), EDGES)
    assert found["heatmaps"] == 0
    assert found["initial"] > 0


def test_auxiliary_losses_count_as_they_are() -> None:
    output = PoseOutput(torch.zeros(1, 2, 16, 16), auxiliary={"task": torch.tensor(0.25)})
    assert losses(output, Truth(XY, torch.ones(1, 1, 2)), EDGES)["task"] == 0.25


def test_masks_that_say_nothing_cost_a_bit_per_token() -> None:
    output = PoseOutput(torch.zeros(1, 2, 16, 16), human=torch.zeros(1, 1, 16), keypoint=torch.zeros(1, 16, 2))
    found = losses(output, Truth(XY, torch.ones(1, 1, 2)), EDGES)
    torch.testing.assert_close(found["human"], torch.tensor(0.1 * math.log(2)))
    torch.testing.assert_close(found["keypoint"], torch.tensor(KEYPOINT * math.log(2)))


def test_importance_where_keypoints_are_costs_less() -> None:
    there, elsewhere = torch.full((1, 16), 1e-4), torch.full((1, 16), 1e-4)
    there[0, [4, 6]], elsewhere[0, [9, 11]] = 0.5, 0.5  # tokens of (10, 20) and (40, 30), and others
    truth = Truth(XY, torch.ones(1, 1, 2))
    costs = [
        losses(PoseOutput(torch.zeros(1, 2, 16, 16), importance=one / one.sum()), truth, EDGES)["importance"]
        for one in (there, elsewhere)
    ]
    assert 0 <= costs[0] < costs[1]


def test_nothing_known_costs_nothing() -> None:
    output = PoseOutput(
        torch.zeros(1, 2, 16, 16),
        initial=torch.zeros(1, 1, 2, 16, 16),
        human=torch.zeros(1, 1, 16),
        keypoint=torch.zeros(1, 16, 2),
        importance=torch.full((1, 16), 1 / 16),
    )
    assert all(loss == 0 for loss in losses(output, Truth(XY, torch.zeros(1, 1, 2)), EDGES).values())


ABSENT = torch.tensor([[[False, True]]])


def test_of_an_absent_point_an_empty_heat_map_costs_nothing_and_any_other_does() -> None:
    heat = gaussians(XY[:, 0], (16, 16))
    full = heat.clone()
    heat[0, 1] = 0
    truth = Truth(XY, torch.ones(1, 1, 2), ABSENT)
    assert losses(PoseOutput(heat), truth, EDGES)["heatmaps"] == 0
    cost = losses(PoseOutput(full), truth, EDGES)["heatmaps"]
    torch.testing.assert_close(cost, full[0, 1].square().sum() / 2)


def test_absent_points_pull_their_maps_down_and_unknown_ones_do_not() -> None:
    for weight, moves in ((1.0, True), (0.0, False)):
        heat = torch.full((1, 2, 16, 16), 0.5, requires_grad=True)
        truth = Truth(XY, torch.tensor([[[0.0, weight]]]), ABSENT)
        losses(PoseOutput(heat), truth, EDGES)["heatmaps"].backward()
        assert heat.grad is not None
        assert not heat.grad[0, 0].any()
        assert bool((heat.grad[0, 1] > 0).all()) == moves


def test_of_an_absent_subject_no_token_shows_anything() -> None:
    def cost(logit: float) -> dict[str, torch.Tensor]:
        output = PoseOutput(
            torch.zeros(1, 2, 16, 16),
            initial=torch.full((1, 1, 2, 16, 16), max(0.0, logit)),
            human=torch.full((1, 1, 16), logit),
            keypoint=torch.full((1, 16, 2), logit),
            importance=torch.full((1, 16), 1 / 16),
        )
        return losses(output, Truth(XY, torch.ones(1, 1, 2), torch.ones(1, 1, 2, dtype=torch.bool)), EDGES)

    nothing, something = cost(-20.0), cost(20.0)
    assert all(value < 1e-6 for value in nothing.values())
    assert {name for name, value in something.items() if value > 1} == {"initial", "human", "keypoint"}
    assert something["importance"] == 0
