"""The detector learns the keypoints of one video, and says so honestly."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from models.adaptation.detector import Detector, HeatmapPeaks, heatmap_loss, read
from models.adaptation.fitting import SIDE, AdaptRecipe, FittingSubject, collect, detect, fit, untrained
from models.adaptation.patches import jitter, patch_around
from models.compute.devices import choose
from models.stdpose.network import StdPose
from pose.frames import InMemoryFrames
from pose.metrics import normalised_errors
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, blank

CPU = choose("cpu")
QUICK = AdaptRecipe(steps=3, images_per_step=2, pictures=6)
LABELLED = (0, 10, 20, 30)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(SceneSpec(seed=4, num_frames=31, width=320, height=240, action="walk"))


@pytest.fixture(scope="module")
def footage(scene: Scene) -> InMemoryFrames:
    return InMemoryFrames(np.stack(list(scene.frames())))


@pytest.fixture(scope="module")
def truth(scene: Scene) -> Track:
    return scene.tracks[min(scene.tracks)]


@pytest.fixture(scope="module")
def subject(truth: Track) -> FittingSubject:
    """Labels are true, pseudo-labels are off by some pixels."""
    noise = np.random.default_rng(0).normal(0, 6, truth.xy.shape).astype(np.float32)
    score = np.full(truth.score.shape, 0.7, dtype=np.float32)
    pseudo = replace(truth, xy=truth.xy + noise, score=score, radius90=12 * score)
    return FittingSubject(truth.select(np.isin(truth.frames, LABELLED)), pseudo)


def fitted(network: StdPose, footage: InMemoryFrames, subjects: list[FittingSubject], recipe: AdaptRecipe) -> Detector:
    detector = untrained(network, subjects[0].labels.num_keypoints, recipe)
    steps = list(fit(detector, collect(footage, subjects, recipe), recipe, CPU))
    assert [step.number for step in steps] == list(range(1, recipe.steps + 1))
    assert np.isfinite([step.loss for step in steps]).all()
    return detector


def test_fitting_hears_of_its_end_before_its_first_step(network, footage, subject):
    """PyTorch loads the optimiser's modules then, for seconds: nobody shall wait for the step as well."""

    class End(Exception):
        pass

    def end():
        raise End

    detector = untrained(network, subject.labels.num_keypoints, QUICK)
    before = {name: one.clone() for name, one in detector.state_dict().items()}
    with pytest.raises(End):
        list(fit(detector, collect(footage, [subject], QUICK), QUICK, CPU, hear=end))
    assert all(torch.equal(one, before[name]) for name, one in detector.state_dict().items())


def seen(detector: Detector, footage: InMemoryFrames, subject: FittingSubject) -> Track:
    poses = subject.poses(footage, 0, footage.num_frames)
    parts = list(detect(detector, footage, poses, CPU))
    for part in parts:
        assert all(np.isfinite(array).all() for array in (part.xy, part.mass))
    track = blank(np.concatenate([part.frames for part in parts]), poses.num_keypoints)
    track.xy[:] = np.concatenate([part.xy for part in parts])
    track.score[:] = np.concatenate([part.mass for part in parts])
    track.visibility[:] = poses.visibility
    return track


def test_it_learns_from_labels_alone(
    network: StdPose, footage: InMemoryFrames, truth: Track, subject: FittingSubject
) -> None:
    alone = replace(subject, pseudo=Track.empty(truth.num_keypoints))
    before = seen(untrained(network, truth.num_keypoints, QUICK), footage, alone)
    after = seen(fitted(network, footage, [alone], AdaptRecipe(steps=60, images_per_step=4)), footage, alone)
    unsure, sure = (normalised_errors(truth, track, np.array(LABELLED)).errors for track in (before, after))
    assert np.median(unsure) > 0.2
    assert np.median(sure) < 0.05


def test_it_betters_the_pseudo_labels_it_learned_from(
    network: StdPose, footage: InMemoryFrames, truth: Track, subject: FittingSubject
) -> None:
    recipe = AdaptRecipe(steps=60, images_per_step=4)
    found = seen(fitted(network, footage, [subject], recipe), footage, subject)
    given, better = (normalised_errors(truth, track, np.array(LABELLED)).errors for track in (subject.pseudo, found))
    assert np.median(better) < 0.7 * np.median(given)


def test_the_same_seed_gives_the_same_detector(
    network: StdPose, footage: InMemoryFrames, subject: FittingSubject
) -> None:
    first, second, other = (
        fitted(network, footage, [subject], replace(QUICK, seed=seed)).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_the_network_it_came_from_stays_as_it_was(
    network: StdPose, footage: InMemoryFrames, subject: FittingSubject
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    detector = fitted(network, footage, [subject], QUICK)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    moved = detector.backbone.state_dict()
    assert not all(torch.equal(moved[name], before[f"backbone.{name}"]) for name in moved)


def test_a_frozen_backbone_does_not_learn(network: StdPose, footage: InMemoryFrames, subject: FittingSubject) -> None:
    detector = fitted(network, footage, [subject], replace(QUICK, backbone_rate=0.0))
    for name, tensor in detector.backbone.state_dict().items():
        torch.testing.assert_close(tensor, network.backbone.state_dict()[name], rtol=0, atol=0)


def test_fitting_can_be_stopped(network: StdPose, footage: InMemoryFrames, subject: FittingSubject) -> None:
    detector = untrained(network, subject.labels.num_keypoints, QUICK)
    steps = fit(detector, collect(footage, [subject], QUICK), replace(QUICK, steps=1000), CPU)
    assert [step.number for step in islice(steps, 2)] == [1, 2]
    steps.close()
    assert seen(detector, footage, subject).score.max() <= 1


def test_memory_is_bounded_and_labels_come_first(
    footage: InMemoryFrames, truth: Track, subject: FittingSubject
) -> None:
    examples = collect(footage, [subject], replace(QUICK, pictures=6))
    assert (len(examples.pictures), examples.labelled.sum()) == (6, 4)
    assert set(examples.weight[examples.labelled].ravel()) == {1.0}
    assert (examples.weight[~examples.labelled] < 1).all()
    everywhere = FittingSubject(truth, Track.empty(truth.num_keypoints))
    assert len(collect(footage, [everywhere], replace(QUICK, pictures=8)).pictures) == 6


def test_subjects_share_a_detector(
    network: StdPose, footage: InMemoryFrames, truth: Track, subject: FittingSubject
) -> None:
    beside = replace(truth, xy=truth.xy + np.float32(3))
    examples = collect(footage, [subject, FittingSubject(beside, Track.empty(truth.num_keypoints))], AdaptRecipe())
    assert len(examples.pictures) == 2 * footage.num_frames
    fitted(network, footage, [subject, FittingSubject(beside, Track.empty(truth.num_keypoints))], QUICK)


def test_a_keypoint_never_labelled_is_not_looked_for(
    network: StdPose, footage: InMemoryFrames, subject: FittingSubject
) -> None:
    labels, pseudo = (lacking(track, 0) for track in (subject.labels, subject.pseudo))
    poor = FittingSubject(labels, pseudo)
    detector = fitted(network, footage, [poor], QUICK)
    for part in detect(detector, footage, poor.poses(footage, 3, 5), CPU):
        assert part.mass[:, 0].max() == 0
        assert part.mass[:, 1:].min() > 0


def lacking(track: Track, keypoint: int) -> Track:
    gone = {name: getattr(track, name).copy() for name in ("xy", "visibility", "score", "radius90")}
    for array in gone.values():
        array[:, keypoint] = 0
    return replace(track, **gone)


@pytest.mark.parametrize("case", ["one keyframe", "one keypoint", "no size", "outside", "last frame only"])
def test_odd_labels_do_no_harm(case: str, network: StdPose, footage: InMemoryFrames, truth: Track) -> None:
    labels = truth.select(truth.frames == (30 if case == "last frame only" else 10))
    keypoints = np.concatenate([labels.xy, labels.visibility[..., None]], axis=-1)
    if case == "one keypoint":
        keypoints[:, 1:] = 0
    elif case == "no size":
        keypoints[..., :2] = 100
    elif case == "outside":
        keypoints[..., :2] -= 2000
    subject = FittingSubject(Track.labelled(labels.frames, keypoints), Track.empty(truth.num_keypoints))
    track = seen(fitted(network, footage, [subject], QUICK), footage, subject)
    assert len(track) == footage.num_frames
    assert track.score.min() >= 0


def test_keypoints_clicked_on_different_frames(network: StdPose, footage: InMemoryFrames, truth: Track) -> None:
    labels = truth.select(np.isin(truth.frames, (5, 25)))
    visibility = labels.visibility.copy()
    visibility[0, ::2] = visibility[1, 1::2] = 0
    clicked = Track.labelled(labels.frames, np.concatenate([labels.xy, visibility[..., None]], axis=-1))
    subject = FittingSubject(clicked, Track.empty(truth.num_keypoints))
    examples = collect(footage, [subject], QUICK)
    np.testing.assert_array_equal(examples.weight, visibility > 0)
    seen(fitted(network, footage, [subject], QUICK), footage, subject)


def maps(*places: tuple[float, float]) -> HeatmapPeaks:
    patch = patch_around(np.array([79.5, 79.5]), 104, 160, 160, scaled_size=104, side=SIDE)
    columns, rows = np.meshgrid(*[4 * np.arange(SIDE // 4) + 1.5] * 2)
    logits = [-((columns - x) ** 2 + (rows - y) ** 2) / 32 for x, y in places]
    return read(np.array([7]), (patch,), torch.tensor(np.stack(logits)[None]).float(), np.ones((1, len(logits)), bool))


def test_peaks_lie_where_the_heat_is() -> None:
    found = maps((40.0, 100.0), (81.3, 33.3), (1.5, 1.5))
    np.testing.assert_allclose(found.xy[0, :2], np.array([[40, 100], [81.3, 33.3]]), atol=0.3)
    assert (found.mass > 0.75).all()


def test_the_loss_is_least_where_the_heat_maps_are_right() -> None:
    xy = torch.tensor([[[40.0, 60.0]]])
    grid = 4 * torch.arange(40) + 1.5

    def logits(x: float, y: float) -> torch.Tensor:
        return -((grid - x)[None, :].square() + (grid - y)[:, None].square())[None, None] / 32

    weight = torch.ones(1, 1)
    right, wrong = heatmap_loss(logits(40, 60), xy, weight), heatmap_loss(logits(48, 60), xy, weight)
    assert right + 0.5 < wrong
    assert heatmap_loss(logits(40, 60), xy, 0 * weight) == 0
    assert heatmap_loss(logits(40, 60), xy - 1000, weight) == 0


def test_patches_map_back_and_forth_and_show_the_border() -> None:
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (240, 320, 3), dtype=np.uint8)
    for centre, size in (((160, 120), 50), ((3, 230), 200), ((-500, 90), 80), ((160, 120), 3000), ((10.4, 10.6), 16)):
        patch = patch_around(np.array(centre), size, 320, 240, scaled_size=104, side=SIDE)
        assert patch.cut(frame).shape == (SIDE, SIDE, 3)
        points = rng.uniform(-50, 400, (5, 2))
        np.testing.assert_allclose(patch.to_frame(patch.to_patch(points)), points, atol=1e-9)
    middle = patch_around(np.array([160.0, 120.0]), 104, 320, 240, scaled_size=104, side=SIDE)
    np.testing.assert_allclose(middle.to_patch(np.array([160.0, 120.0])), (SIDE - 1) / 2, atol=0.51)
    np.testing.assert_array_equal(middle.cut(frame), frame[40:200, 80:240])


def test_jitter_keeps_the_truth_true() -> None:
    image = np.zeros((224, 224, 3), dtype=np.uint8)
    xy = np.array([[90.0, 120.0]])
    image[118:123, 88:93] = 255
    rng = np.random.default_rng(2)
    offsets = []
    for _ in range(40):
        changed, moved = jitter(rng, image, xy, SIDE)
        x, y = np.rint(moved[0]).astype(int)
        offsets.append(changed[y, x].mean() - np.median(changed))
    assert np.mean(np.array(offsets) > 60) > 0.9
