"""Skeletons: named keypoints, the edges between them, and which ones mirror each other."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: OKS falloff used where a skeleton brings no sigmas of its own. Scores made with it do not compare with COCO's.
DEFAULT_SIGMA = 0.05

MAX_KEYPOINTS = 512


class SkeletonError(ValueError):
    """A skeleton that contradicts itself; ``pointer`` is a JSON pointer to the offending field."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """Named keypoints in a fixed order, with 0-based index pairs over them.

    Args:
        name: What the skeleton is called.
        keypoints: ``K`` distinct names, in the order of every array.
        edges: Pairs of keypoints joined by a limb, for drawing.
        swap: Pairs that trade places when an image is mirrored (left and right wrist).
        sigmas: ``K`` OKS falloffs as in COCO (the OKS variance is ``(2 sigma)^2``); ``DEFAULT_SIGMA`` where empty.
        retired: Names of keypoints that keep their place in arrays and are used no more, see ``active``.

    Raises:
        SkeletonError: Names repeat or are empty, an index is out of range, a sigma is not positive, a retired keypoint
            is none or all of them are.
    """

    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...] = ()
    swap: tuple[tuple[int, int], ...] = ()
    sigmas: tuple[float, ...] = field(default=())
    retired: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        if not 1 <= count <= MAX_KEYPOINTS:
            raise SkeletonError(f"a skeleton has 1 to {MAX_KEYPOINTS} keypoints, not {count}", "/keypoints")
        for index, keypoint in enumerate(self.keypoints):
            if not keypoint.strip():
                raise SkeletonError("a keypoint needs a name", f"/keypoints/{index}")
            if keypoint in self.keypoints[:index]:
                raise SkeletonError(f"keypoint {keypoint!r} stands there twice", f"/keypoints/{index}")
        for label, pairs in (("edges", self.edges), ("swap", self.swap)):
            for index, (a, b) in enumerate(pairs):
                if not (0 <= a < count and 0 <= b < count) or a == b:
                    raise SkeletonError(
                        f"[{a}, {b}] does not join two of the {count} keypoints (0-based)", f"/{label}/{index}"
                    )
        mirrored = [index for pair in self.swap for index in pair]
        if len(mirrored) != len(set(mirrored)):
            raise SkeletonError("a keypoint can mirror only one other", "/swap")
        if self.sigmas and len(self.sigmas) != count:
            raise SkeletonError(f"{len(self.sigmas)} sigmas for {count} keypoints", "/sigmas")
        for index, sigma in enumerate(self.sigmas):
            if not (np.isfinite(sigma) and sigma > 0):
                raise SkeletonError("a sigma is a positive number", f"/sigmas/{index}")
        for index, keypoint in enumerate(self.retired):
            if keypoint not in self.keypoints:
                raise SkeletonError(f"there is no keypoint {keypoint!r}", f"/retired/{index}")
            if keypoint in self.retired[:index]:
                raise SkeletonError(f"keypoint {keypoint!r} stands there twice", f"/retired/{index}")
        if len(self.retired) == count:
            raise SkeletonError("a skeleton needs a keypoint that is not retired", "/retired")

    @property
    def size(self) -> int:
        """``K``, the number of keypoints."""
        return len(self.keypoints)

    @property
    def points(self) -> np.ndarray:
        """Indices of the keypoints that are not retired, ascending."""
        return np.array([index for index, name in enumerate(self.keypoints) if name not in self.retired])

    def active(self) -> Skeleton:
        """The skeleton without its retired keypoints, and without edges and pairs that name one."""
        if not self.retired:
            return self
        place = {int(index): k for k, index in enumerate(self.points)}
        return Skeleton(
            name=self.name,
            keypoints=tuple(self.keypoints[index] for index in place),
            edges=tuple((place[a], place[b]) for a, b in self.edges if a in place and b in place),
            swap=tuple((place[a], place[b]) for a, b in self.swap if a in place and b in place),
            sigmas=tuple(self.sigmas[index] for index in place) if self.sigmas else (),
        )

    def oks_sigmas(self) -> np.ndarray:
        """``(K,)`` OKS falloffs, the default where the skeleton has none."""
        return np.array(self.sigmas or (DEFAULT_SIGMA,) * self.size)

    def mirror(self) -> np.ndarray:
        """``(K,)`` indices that reorder the keypoints of a mirrored image."""
        order = np.arange(self.size)
        for a, b in self.swap:
            order[[a, b]] = b, a
        return order


COCO_17 = Skeleton(
    name="coco17",
    keypoints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    edges=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
        (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    swap=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    sigmas=(
        0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
        0.089,
    ),
)  # fmt: skip

POSETRACK_15 = Skeleton(
    name="posetrack15",
    keypoints=(
        "nose", "head_bottom", "head_top", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
        "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    ),
    edges=(
        (0, 1), (0, 2), (1, 3), (1, 4), (3, 5), (5, 7), (4, 6), (6, 8), (3, 9), (4, 10), (9, 10), (9, 11), (11, 13),
        (10, 12), (12, 14),
    ),
    swap=((3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14)),
    sigmas=(
        0.026, 0.079, 0.079, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
    ),
)  # fmt: skip

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO_17, POSETRACK_15)}
