import numpy as np
import pytest

from pose.skeleton import COCO_17, DEFAULT_SIGMA, POSETRACK_15, SKELETONS, Skeleton, SkeletonError


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_mirroring_twice_changes_nothing(skeleton):
    order = skeleton.mirror()
    assert order[order].tolist() == list(range(skeleton.size))


@pytest.mark.parametrize("skeleton", [COCO_17, POSETRACK_15], ids=["coco", "posetrack"])
def test_left_and_right_swap(skeleton):
    for index, other in enumerate(skeleton.mirror()):
        name = skeleton.keypoints[index]
        mirrored = name
        if name.startswith("left_"):
            mirrored = name.replace("left_", "right_")
        elif name.startswith("right_"):
            mirrored = name.replace("right_", "left_")
        assert skeleton.keypoints[other] == mirrored


def test_coco_sigmas_are_those_of_pycocotools():
    from pycocotools.cocoeval import Params

    assert COCO_17.oks_sigmas() == pytest.approx(Params("keypoints").kpt_oks_sigmas)


def test_sigmas_default():
    assert (Skeleton(name="x", keypoints=("a", "b")).oks_sigmas() == np.full(2, DEFAULT_SIGMA)).all()


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"keypoints": ()}, "/keypoints"),
        ({"keypoints": ("a", " ")}, "/keypoints/1"),
        ({"keypoints": ("a", "b", "a")}, "/keypoints/2"),
        ({"keypoints": ("a", "b"), "edges": ((0, 2),)}, "/edges/0"),
        ({"keypoints": ("a", "b"), "edges": ((0, 1), (1, 1))}, "/edges/1"),
        ({"keypoints": ("a", "b"), "swap": ((-1, 1),)}, "/swap/0"),
        ({"keypoints": ("a", "b", "c"), "swap": ((0, 1), (1, 2))}, "/swap"),
        ({"keypoints": ("a", "b"), "sigmas": (0.1,)}, "/sigmas"),
        ({"keypoints": ("a", "b"), "sigmas": (0.1, float("nan"))}, "/sigmas/1"),
    ],
)
def test_contradictions_are_refused_with_a_pointer(fields, pointer):
    with pytest.raises(SkeletonError) as caught:
        Skeleton(name="x", **fields)
    assert caught.value.pointer == pointer
