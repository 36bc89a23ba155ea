"""Seeing a person on a frame: cut out by a pose that is about right, then by what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from models.people.network import LANDMARKS, SIDE, PeopleNetwork

_INDEX = {name: index for index, name in enumerate(LANDMARKS)}
_ALSO = {"left_mouth": ("mouth_left",), "right_mouth": ("mouth_right",)} | {
    f"{side}_hand": tuple(f"{side}_{part}" for part in ("wrist", "pinky", "index")) for side in ("left", "right")
}

_ROOM = 1.25  # times the circle around a person is cut out, as the network learnt it
_BEYOND = 1.1  # joints end inside of the body
# Cut-outs by poses are rounded, so that one that moves a little is seen as before and need not be looked at again.
_CENTRES, _SIZES, _TURNS = 16, 4, 24  # per side; per doubling; per full turn


@dataclass(frozen=True)
class Look:
    """A square of the frame, perhaps turned.

    Attributes:
        x: Of its centre, frame pixels.
        y: Of its centre, frame pixels.
        side: Frame pixels.
        angle: By which up on the picture is turned from up on the frame, clockwise, in radians.
    """

    x: float
    y: float
    side: float
    angle: float

    @property
    def matrix(self) -> np.ndarray:
        """``(2, 3)`` from input pixels to frame pixels; pixel centres are at integers in both."""
        scale = self.side / SIDE
        across, down = np.cos(self.angle) * scale, np.sin(self.angle) * scale
        turn = np.array([[across, -down], [down, across]])
        shift = (self.x, self.y) - turn @ np.full(2, (SIDE - 1) / 2)
        return np.concatenate([turn, shift[:, None]], axis=1)

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """Cut the square out of a frame ``(H, W, 3)``: ``(SIDE, SIDE, 3)``; black beyond its border."""
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen: np.ndarray = cv2.warpAffine(frame, self.matrix, (SIDE, SIDE), flags=how)
        return seen

    def to_frame(self, xy: np.ndarray) -> np.ndarray:
        """Input pixels ``(..., 2)`` to frame pixels."""
        matrix = self.matrix
        mapped: np.ndarray = xy @ matrix[:, :2].T + matrix[:, 2]
        return mapped

    def rounded(self) -> Look:
        """One that others nearby are rounded to as well."""
        side = 2 ** (round(_SIZES * np.log2(self.side)) / _SIZES)
        step, turn = side / _CENTRES, 2 * np.pi / _TURNS
        return Look(
            float(round(self.x / step) * step),
            float(round(self.y / step) * step),
            float(side),
            float(round(self.angle / turn) % _TURNS * turn),
        )


class Aim:
    """Where to look for a person whose pose is known about.

    Args:
        joints: For each keypoint of poses the joints that it is in the middle of, see ``pose.joints``.
    """

    def __init__(self, joints: Sequence[tuple[str, ...]]) -> None:
        self._hips, self._shoulders = (
            [k for k, named in enumerate(joints) if named and all(joint.endswith(end) for joint in named)]
            for end in ("hip", "shoulder")
        )

    def at(self, xy: np.ndarray, known: np.ndarray) -> Look | None:
        """Where to look.

        Args:
            xy: ``(K, 2)`` frame pixels.
            known: ``(K,)`` which of them are known.

        Returns:
            None where too little is known.
        """
        if known.sum() < 2:
            return None
        points = xy[known].astype(np.float64)
        hips, shoulders = (self._middle(xy, known, part) for part in (self._hips, self._shoulders))
        centre = hips if hips is not None else (points.min(axis=0) + points.max(axis=0)) / 2
        radius = max(float(np.linalg.norm(points - centre, axis=1).max()), 1.0)
        up = shoulders - hips if hips is not None and shoulders is not None else np.array([0.0, -1.0])
        angle = float(np.arctan2(up[0], -up[1]))
        return Look(float(centre[0]), float(centre[1]), 2 * _BEYOND * _ROOM * radius, angle).rounded()

    @staticmethod
    def _middle(xy: np.ndarray, known: np.ndarray, part: list[int]) -> np.ndarray | None:
        there = [k for k in part if known[k]]
        return xy[there].astype(np.float64).mean(axis=0) if there else None


@torch.inference_mode()
def see(network: PeopleNetwork, frame: np.ndarray, look: Look) -> tuple[np.ndarray, float]:
    """Find a person, then look again where they were found, as the network learnt it.

    One picture at a time, so that what is seen on a frame does not depend on which others are looked at.

    Args:
        network: On whatever device.
        frame: ``(H, W, 3)`` uint8 RGB.
        look: Where to look first.

    Returns:
        ``(L, 2)`` places of ``LANDMARKS`` in frame pixels, and the probability that there is a person.
    """
    xy, _ = _look(network, frame, look)
    middle, reach = xy[_INDEX["middle"]], xy[_INDEX["reach"]]
    way = reach - middle
    side = 2 * _ROOM * float(np.linalg.norm(way))
    if side < 2:
        return xy, 0.0
    up = float(np.arctan2(way[0], -way[1]))
    return _look(network, frame, Look(float(middle[0]), float(middle[1]), side, up))


def _look(network: PeopleNetwork, frame: np.ndarray, look: Look) -> tuple[np.ndarray, float]:
    pixels = torch.from_numpy(look.cut(frame)).to(network.stem.weight.device).permute(2, 0, 1)[None].float()
    xy, person = network(pixels)
    return look.to_frame(xy[0].double().cpu().numpy()), float(person[0])


def keypoints_of(landmarks: np.ndarray, joints: Sequence[tuple[str, ...]]) -> np.ndarray:
    """Keypoints ``(F, K, 2)`` of landmarks ``(F, L, 2)``: the middles of their joints; 0 where they have none."""
    found = np.zeros((len(landmarks), len(joints), 2))
    for k, named in enumerate(joints):
        parts = [_INDEX[part] for joint in named for part in _ALSO.get(joint, (joint,))]
        if parts:
            found[:, k] = landmarks[:, parts].mean(axis=1)
    return found
