"""Procedural surfaces: noise, and the cloth, skin, fur and shell that bodies are wrapped in.

A surface is the unrolled skin of a limb: rows run along the limb, columns around it, the middle column in front.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

#: Rows and columns of a surface.
SURFACE = (96, 192)

#: A surface reaches this far beyond both ends of the limb, as a share of its length.
OVERHANG = 0.25

_FIELD = 512
_ROUGHNESS = (0.9, 1.3, 1.8)


@lru_cache(maxsize=1)
def _fields() -> np.ndarray:
    rng = np.random.default_rng(20_240)
    frequency = np.hypot(np.fft.fftfreq(_FIELD)[:, None], np.fft.rfftfreq(_FIELD)[None])
    frequency[0, 0] = np.inf
    fields = []
    for roughness in _ROUGHNESS:
        spectrum = np.fft.rfft2(rng.standard_normal((_FIELD, _FIELD))) * frequency**-roughness
        field = np.fft.irfft2(spectrum, s=(_FIELD, _FIELD))
        fields.append((field / field.std()).astype(np.float32))
    return np.stack(fields)


def noise(rng: np.random.Generator, shape: tuple[int, int], *, smoothness: int = 1, zoom: float = 1.0) -> np.ndarray:
    """Fractal noise with mean near 0 and deviation near 1.

    Args:
        rng: Picks the place in a stored periodic field.
        shape: Rows and columns.
        smoothness: 0 grainy, 1 cloudy, 2 smooth.
        zoom: Field pixels per pixel of the result; small values magnify.

    Returns:
        ``shape`` float32.
    """
    rows, columns = (max(2, round(length * zoom)) for length in shape)
    top, left = rng.integers(0, _FIELD, 2)
    field = _fields()[smoothness]
    if rng.random() < 0.5:
        field = field.T
    patch = field[np.ix_((top + np.arange(rows)) % _FIELD, (left + np.arange(columns)) % _FIELD)]
    method = cv2.INTER_LINEAR if zoom <= 1 else cv2.INTER_AREA
    return np.asarray(cv2.resize(patch, (shape[1], shape[0]), interpolation=method))


def hue(
    rng: np.random.Generator,
    saturation: tuple[float, float],
    value: tuple[float, float],
    degrees: tuple[float, float] = (0, 360),
) -> np.ndarray:
    """A random colour from ranges of HSV, ``(3,)`` float32 RGB in 0..255."""
    hsv = np.array([[[rng.uniform(*degrees), rng.uniform(*saturation), rng.uniform(*value)]]], dtype=np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0] * 255)


def dye(rng: np.random.Generator) -> np.ndarray:
    """A colour that clothes have: bright, muted, dark or nearly white."""
    ranges = (
        ((0.5, 0.95), (0.45, 0.95)),
        ((0.1, 0.45), (0.3, 0.8)),
        ((0, 0.5), (0.08, 0.28)),
        ((0, 0.1), (0.75, 0.97)),
    )
    saturation, value = ranges[int(rng.choice(4, p=(0.4, 0.25, 0.2, 0.15)))]
    return hue(rng, saturation, value)


def plain(colour: np.ndarray) -> np.ndarray:
    """``(rows, columns, 3)`` float32 surface of one colour."""
    return np.broadcast_to(colour.astype(np.float32), (*SURFACE, 3)).copy()


def finish(surface: np.ndarray) -> np.ndarray:
    """Float colours to uint8, clipped."""
    return np.asarray(np.clip(surface, 0, 255), dtype=np.uint8)


def _mix(surface: np.ndarray, colour: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.asarray(surface + (colour - surface) * np.clip(weight, 0, 1)[..., None])


def _grid() -> tuple[np.ndarray, np.ndarray]:
    along = np.linspace(-OVERHANG, 1 + OVERHANG, SURFACE[0], dtype=np.float32)[:, None]
    around = np.linspace(-np.pi, np.pi, SURFACE[1], dtype=np.float32)[None]
    return along, around


def cloth(rng: np.random.Generator, colour: np.ndarray, second: np.ndarray, pattern: str) -> np.ndarray:
    """Cloth in two colours; patterns ``plain hoops stripes plaid dots print yoke denim``."""
    along, around = _grid()
    surface = plain(colour)
    period = rng.uniform(0.12, 0.4)
    hoops = np.broadcast_to(((along / period) % 1 < 0.5).astype(np.float32), SURFACE)
    lines = np.broadcast_to(((around / (np.pi * period)) % 1 < 0.4).astype(np.float32), SURFACE)
    if pattern == "hoops":
        surface = _mix(surface, second, hoops)
    elif pattern == "stripes":
        surface = _mix(surface, second, lines)
    elif pattern == "plaid":
        surface = _mix(surface, second, 0.4 * hoops + 0.4 * lines)
    elif pattern == "dots":
        phase = np.hypot((along / period) % 1 - 0.5, (around / (np.pi * period)) % 1 - 0.5)
        surface = _mix(surface, second, (0.3 - phase) * 12)
    elif pattern == "print":
        blob = 1 - np.hypot((along - 0.55) / 0.2, around / 0.6) + 0.35 * noise(rng, SURFACE, zoom=0.5)
        surface = _mix(surface, second, blob * 8)
    elif pattern == "yoke":
        surface = _mix(surface, second, np.broadcast_to((along - rng.uniform(0.45, 0.7)) * 40, SURFACE))
    elif pattern == "denim":
        surface *= 1 + 0.12 * noise(rng, SURFACE, smoothness=0, zoom=2)[..., None]
    surface *= 1 + 0.1 * noise(rng, SURFACE, smoothness=2, zoom=0.8)[..., None]
    return surface * (1 + 0.05 * noise(rng, SURFACE, smoothness=1, zoom=1.5)[..., None])


def skin(rng: np.random.Generator, tone: np.ndarray) -> np.ndarray:
    """Skin of a tone, with slight mottling."""
    return plain(tone) * (1 + 0.05 * noise(rng, SURFACE, smoothness=2)[..., None])


def fur(rng: np.random.Generator, colour: np.ndarray, second: np.ndarray, pattern: str) -> np.ndarray:
    """Fur in two colours: ``plain``, ``belly`` (pale underneath), ``patches``, ``spots`` or ``tiger``."""
    _, around = _grid()
    surface = plain(colour)
    if pattern == "belly":
        surface = _mix(surface, second, np.broadcast_to((np.abs(around) - 1.9) * 2, SURFACE))
    elif pattern == "patches":
        surface = _mix(surface, second, noise(rng, SURFACE, smoothness=2, zoom=0.7) * 12)
    elif pattern == "spots":
        surface = _mix(surface, second, (noise(rng, SURFACE, smoothness=1, zoom=1.4) - 0.9) * 6)
    elif pattern == "tiger":
        bands = np.sin(
            np.linspace(0, rng.uniform(20, 50), SURFACE[0])[:, None] + 1.5 * noise(rng, SURFACE, smoothness=2)
        )
        surface = _mix(surface, second, bands * 4)
    return surface * (1 + 0.09 * noise(rng, SURFACE, smoothness=0, zoom=1.5)[..., None])


def shell(rng: np.random.Generator, colour: np.ndarray, bands: int) -> np.ndarray:
    """Insect cuticle with dark rings along the limb."""
    along, _ = _grid()
    surface = plain(colour) * (1 + 0.06 * noise(rng, SURFACE)[..., None])
    if bands:
        ring = np.broadcast_to(((along * bands) % 1 < 0.3).astype(np.float32), SURFACE)
        surface = _mix(surface, colour * 0.35, 0.7 * ring)
    return surface


def medley(rng: np.random.Generator) -> np.ndarray:
    """Any surface at all, from camouflage to scribbles, for creatures."""
    colour, second = dye(rng), dye(rng)
    choice = int(rng.integers(0, 4))
    if choice == 0:
        return fur(rng, colour, second, str(rng.choice(("plain", "belly", "patches", "spots", "tiger"))))
    if choice == 1:
        return cloth(rng, colour, second, str(rng.choice(("plain", "hoops", "stripes", "plaid", "dots", "denim"))))
    surface = plain(colour) + noise(rng, SURFACE)[..., None] * rng.uniform(4, 45) * rng.uniform(0.3, 1, 3)
    if choice == 2:
        surface = finish(surface)
        for _ in range(int(rng.integers(5, 60))):
            at = tuple(int(v) for v in (rng.integers(0, SURFACE[1]), rng.integers(0, SURFACE[0])))
            axes = tuple(int(v) for v in rng.integers(1, 12, 2))
            paint = dye(rng).tolist()
            cv2.ellipse(surface, at, axes, float(rng.uniform(0, 180)), 0, 360, paint, -1, cv2.LINE_AA)
    return surface.astype(np.float32)
