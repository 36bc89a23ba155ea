"""Articulated bodies: joints, the tapered parts they carry, and the keypoints on them.

World axes are ``x`` right, ``y`` down, ``z`` away from the viewer, in metres or body lengths, with the ground at
``y = 0``. A body at rest faces ``x``; its left is ``z``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from pose.skeleton import Skeleton
from pose.synthetic.textures import finish

Vector = Sequence[float] | np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Capsule:
    """A tapered capsule of elliptic section, rigid in the frame of its joint.

    Attributes:
        joint: The joint that carries it.
        start: ``(3,)`` first end of the axis.
        end: ``(3,)`` second end.
        front: ``(3,)`` direction of the middle column of the surface.
        radius: Half widths at start and end, sideways.
        flat: Half depth towards ``front`` over half width.
        cap: Length of the rounded ends over the radius.
        bulge: Share by which the middle is thicker than the taper says.
        nearer: Distance by which it is drawn as if nearer to the viewer.
        opacity: Below 0.7 it does not hide what is behind it.
        surface: ``(rows, columns, 3)`` uint8.
    """

    joint: int
    start: np.ndarray
    end: np.ndarray
    front: np.ndarray
    radius: tuple[float, float]
    surface: np.ndarray
    flat: float = 1.0
    cap: float = 1.0
    bulge: float = 0.0
    nearer: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True, eq=False)
class Landmark:
    """Where a keypoint is.

    Attributes:
        joint: The joint it moves with.
        offset: ``(3,)`` place in the joint's frame.
        parts: The parts it belongs to: any other part over it hides it.
        facing: ``(3,)`` outward direction; the point is hidden where this looks away from the viewer. Shorter vectors
            for points that show from further round, zero for those that can be told from all around.
    """

    joint: int
    offset: np.ndarray
    parts: frozenset[int]
    facing: np.ndarray


@dataclass(frozen=True, eq=False)
class Body:
    """A body in its rest pose.

    Attributes:
        skeleton: Names of the ``K`` landmarks.
        parents: ``J`` parent indices, -1 for the root, which comes first; a parent comes before its children.
        offsets: ``(J, 3)`` places of the joints in their parents' frames.
        rest: ``(J, 3)`` angles of the rest pose.
        parts: The ``P`` parts.
        landmarks: The ``K`` landmarks.
        feet: Joints and offsets of the points that stand on the ground.
        height: What fills the frame: height seen from the side, length seen from above.
    """

    skeleton: Skeleton
    parents: tuple[int, ...]
    offsets: np.ndarray
    rest: np.ndarray
    parts: tuple[Capsule, ...]
    landmarks: tuple[Landmark, ...]
    feet: tuple[tuple[int, np.ndarray], ...]
    height: float


@dataclass(frozen=True, eq=False)
class Posture:
    """A body posed on every frame.

    Attributes:
        rotations: ``(F, J, 3, 3)`` from the joints' frames to the world.
        origins: ``(F, J, 3)`` places of the joints in the world.
    """

    rotations: np.ndarray
    origins: np.ndarray

    def points(self, joints: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        """``(F, N, 3)`` world positions of ``(N, 3)`` offsets in the frames of ``(N,)`` joints."""
        return np.asarray(self.origins[:, joints] + self.directions(joints, offsets))

    def directions(self, joints: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        """``(F, N, 3)`` world directions of ``(N, 3)`` vectors in the frames of ``(N,)`` joints."""
        return np.asarray(np.einsum("fnij,nj->fni", self.rotations[:, joints], vectors))

    def moved(self, shift: np.ndarray) -> Posture:
        """The same posture elsewhere; ``shift`` is ``(3,)`` or ``(F, 3)``."""
        return Posture(self.rotations, self.origins + np.reshape(shift, (-1, 1, 3)))


def turn(angles: np.ndarray) -> np.ndarray:
    """Rotation matrices of joint angles.

    Args:
        angles: ``(..., 3)`` flexion (what hangs down swings forward), abduction (swings to the left), twist (turns
            its front to the left), applied twist first.

    Returns:
        ``(..., 3, 3)``.
    """
    (cf, ca, ct), (sf, sa, st) = np.moveaxis(np.cos(angles), -1, 0), np.moveaxis(np.sin(angles), -1, 0)
    zero, one = np.zeros_like(cf), np.ones_like(cf)

    def matrix(*entries: np.ndarray) -> np.ndarray:
        return np.stack(entries, axis=-1).reshape(*cf.shape, 3, 3)

    flexion = matrix(cf, sf, zero, -sf, cf, zero, zero, zero, one)
    abduction = matrix(one, zero, zero, zero, ca, -sa, zero, sa, ca)
    twist = matrix(ct, zero, -st, zero, one, zero, st, zero, ct)
    return np.asarray(flexion @ abduction @ twist)


def articulate(body: Body, angles: np.ndarray, heading: np.ndarray, root: np.ndarray) -> Posture:
    """Forward kinematics.

    Args:
        body: The body.
        angles: ``(F, J, 3)`` on top of the rest pose.
        heading: ``(F,)`` turn of the whole body to its left.
        root: ``(F, 3)`` place of the root joint.
    """
    local = turn(angles + body.rest)
    facing = np.zeros((len(heading), 3))
    facing[:, 2] = heading
    rotations, origins = np.empty_like(local), np.empty(local.shape[:3])
    for joint, parent in enumerate(body.parents):
        if parent < 0:
            rotations[:, joint] = turn(facing) @ local[:, joint]
            origins[:, joint] = root
        else:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
            origins[:, joint] = origins[:, parent] + rotations[:, parent] @ body.offsets[joint]
    return Posture(rotations, origins)


@dataclass
class Anatomy:
    """A body under construction: joints by name, parts and landmarks as they are added."""

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    offsets: list[np.ndarray] = field(default_factory=list)
    rest: list[np.ndarray] = field(default_factory=list)
    parts: list[Capsule] = field(default_factory=list)
    landmarks: dict[str, Landmark] = field(default_factory=dict)
    feet: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def joint(self, name: str, parent: str | None, offset: Vector = (0, 0, 0), rest: Vector = (0, 0, 0)) -> str:
        """Add a joint and give back its name."""
        self.parents.append(-1 if parent is None else self.names.index(parent))
        self.names.append(name)
        self.offsets.append(np.asarray(offset, dtype=float))
        self.rest.append(np.asarray(rest, dtype=float))
        return name

    def part(
        self,
        joint: str,
        start: Vector,
        end: Vector,
        radius: tuple[float, float],
        surface: np.ndarray,
        *,
        front: Vector = (1, 0, 0),
        flat: float = 1.0,
        cap: float = 1.0,
        bulge: float = 0.0,
        nearer: float = 0.0,
        opacity: float = 1.0,
    ) -> int:
        """Add a part and give back its index."""
        self.parts.append(
            Capsule(
                joint=self.names.index(joint),
                start=np.asarray(start, dtype=float),
                end=np.asarray(end, dtype=float),
                front=np.asarray(front, dtype=float),
                radius=radius,
                surface=finish(surface),
                flat=flat,
                cap=cap,
                bulge=bulge,
                nearer=nearer,
                opacity=opacity,
            )
        )
        return len(self.parts) - 1

    def landmark(self, name: str, joint: str, offset: Vector, parts: Sequence[int], facing: Vector = (0, 0, 0)) -> None:
        """Add a keypoint."""
        at, outward = np.asarray(offset, dtype=float), np.asarray(facing, dtype=float)
        self.landmarks[name] = Landmark(self.names.index(joint), at, frozenset(parts), outward)

    def foot(self, joint: str, offset: Vector = (0, 0, 0)) -> None:
        """Let a point stand on the ground."""
        self.feet.append((self.names.index(joint), np.asarray(offset, dtype=float)))

    def body(self, skeleton: Skeleton, height: float) -> Body:
        """The finished body; its landmarks carry the skeleton's names."""
        return Body(
            skeleton=skeleton,
            parents=tuple(self.parents),
            offsets=np.array(self.offsets),
            rest=np.array(self.rest),
            parts=tuple(self.parts),
            landmarks=tuple(self.landmarks[name] for name in skeleton.keypoints),
            feet=tuple(self.feet),
            height=height,
        )
