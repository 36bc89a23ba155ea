"""Painting: shaded limbs and cut-out pictures onto a frame, antialiased, with motion blur."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from pose.synthetic.limbs import Limbs
from pose.synthetic.textures import OVERHANG, SURFACE

_MAX_ROWS, _MAX_COLUMNS = 220, 140

#: Pixels of smear below which blur is not worth painting.
_STILL = 1.0


@lru_cache(maxsize=512)
def smear(dx: int, dy: int) -> np.ndarray:
    """Convolution kernel of a straight movement by ``(dx, dy)`` half pixels, centred."""
    reach = max(abs(dx), abs(dy)) // 4 + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), dtype=np.float32)
    for t in np.linspace(-0.5, 0.5, 4 * reach + 1):
        x, y = reach + t * dx / 2, reach + t * dy / 2
        left, top = int(np.floor(x)), int(np.floor(y))
        for i, wy in ((top, 1 - y + top), (top + 1, y - top)):
            for j, wx in ((left, 1 - x + left), (left + 1, x - left)):
                if wx * wy > 0:
                    kernel[i, j] += wx * wy
    return np.asarray(kernel / kernel.sum())


def lay(
    canvas: np.ndarray, picture: np.ndarray, matrix: np.ndarray, velocity: np.ndarray
) -> tuple[slice, slice, np.ndarray] | None:
    """Lay a picture over the canvas, in place.

    Args:
        canvas: ``(H, W, 3)`` uint8.
        picture: ``(rows, columns, 4)`` uint8 with colours already multiplied by the fourth channel, the opacity.
        matrix: ``(2, 3)`` from picture to canvas pixels.
        velocity: ``(2,)`` pixels moved while the shutter is open.

    Returns:
        Rows and columns of the canvas that were touched, and their opacity; None if the picture is outside.
    """
    height, width = canvas.shape[:2]
    rows, columns = picture.shape[:2]
    corners = np.array([[0, columns, 0, columns], [0, 0, rows, rows], [1, 1, 1, 1]])
    xs, ys = matrix @ corners
    moving = abs(velocity[0]) + abs(velocity[1]) > _STILL
    margin = 1 + (int(max(abs(velocity[0]), abs(velocity[1])) / 2) + 1 if moving else 0)
    left, right = max(0, int(xs.min()) - margin), min(width, int(xs.max()) + 2 + margin)
    top, bottom = max(0, int(ys.min()) - margin), min(height, int(ys.max()) + 2 + margin)
    if left >= right or top >= bottom:
        return None
    local = matrix.astype(np.float64)
    local[:, 2] -= (left, top)
    patch = cv2.warpAffine(picture, local, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    if moving:
        kernel = smear(int(np.clip(round(2 * velocity[0]), -80, 80)), int(np.clip(round(2 * velocity[1]), -80, 80)))
        patch = cv2.filter2D(patch, -1, kernel, borderType=cv2.BORDER_CONSTANT)
    area = slice(top, bottom), slice(left, right)
    opacity = patch[..., 3]
    under = cv2.multiply(canvas[area], cv2.cvtColor(255 - opacity, cv2.COLOR_GRAY2BGR), scale=1 / 255)
    canvas[area] = cv2.add(under, patch[..., :3])
    return (*area, opacity)


def limb(
    limbs: Limbs, frame: int, index: int, surface: np.ndarray, light: np.ndarray, ambient: float, opacity: float
) -> tuple[np.ndarray, np.ndarray]:
    """Shade one part as a picture to :func:`lay`.

    Args:
        limbs: Projected parts.
        frame: The frame.
        index: The part.
        surface: Its ``(rows, columns, 3)`` uint8 surface.
        light: ``(3,)`` unit vector towards the light, in the camera's axes.
        ambient: Share of the light that comes from everywhere.
        opacity: 0 to 1.

    Returns:
        The picture, and its ``(2, 3)`` matrix.
    """
    first, second = limbs.radius[frame, index]
    length, ratio, cap = limbs.length[frame, index], limbs.ratio[frame, index], limbs.cap[frame, index]
    bulge = limbs.bulge[index]
    widest = max(first, second) * (1 + bulge) * ratio + 1
    low, high = -cap * first - 1, length + cap * second + 1
    rows = int(np.clip(np.ceil(high - low) + 1, 4, _MAX_ROWS))
    columns = int(np.clip(np.ceil(2 * widest) + 1, 4, _MAX_COLUMNS))
    along = np.linspace(low, high, rows, dtype=np.float32)[:, None]
    across = np.linspace(-widest, widest, columns, dtype=np.float32)[None]
    nearest = np.clip(along, 0, length)
    share = nearest / max(length, 1e-3)
    radius = first + (second - first) * share + 2 * bulge * (first + second) * share * (1 - share)
    level = across / (max(ratio, 1e-3) * radius)
    outside = cv2.magnitude(np.broadcast_to((along - nearest) / (max(cap, 1e-3) * radius), level.shape).copy(), level)
    cover = np.clip((1 - outside) * (radius * min(ratio, 1.0)) + 0.5, 0, 1) * opacity
    cosine = np.clip(level, -1, 1)
    sine = np.sqrt(1 - cosine * cosine)

    lean_cos, lean_sin = limbs.lean[frame, index]
    place = (along - radius * (lean_cos * cosine + lean_sin * sine)) / max(length, 0.25 * (first + second), 1e-3)
    turn = limbs.angle[frame, index] + limbs.sense[frame, index] * np.arccos(cosine)
    row = ((place + OVERHANG) * ((SURFACE[0] - 1) / (1 + 2 * OVERHANG))).astype(np.float32)
    column = (((turn / (2 * np.pi) + 0.5) % 1) * (SURFACE[1] - 1)).astype(np.float32)
    colour = cv2.remap(surface, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    axis = limbs.along[frame, index]
    lit = (axis[0] * light[1] - axis[1] * light[0]) * cosine - light[2] * sine
    shade = (ambient + (1 - ambient) * np.maximum(lit, 0)) * (0.72 + 0.28 * sine) * cover
    picture = np.empty((rows, columns, 4), dtype=np.uint8)
    np.clip(colour * shade[..., None], 0, 255 * cover[..., None], out=picture[..., :3], casting="unsafe")
    picture[..., 3] = cover * 255
    dx, dy = 2 * widest / (columns - 1), (high - low) / (rows - 1)
    start = limbs.start[frame, index]
    matrix = np.array(
        [
            [-axis[1] * dx, axis[0] * dy, start[0] + axis[1] * widest + axis[0] * low],
            [axis[0] * dx, axis[1] * dy, start[1] - axis[0] * widest + axis[1] * low],
        ]
    )
    return picture, matrix
