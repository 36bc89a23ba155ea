"""Effects of a camera on a picture: exposure, softness, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

from pose.synthetic.motion import smooth
from pose.synthetic.spec import SceneSpec

_MARGIN = 61


class Photograph:
    """The lens, sensor and codec of one video."""

    def __init__(self, spec: SceneSpec, rng: np.random.Generator) -> None:
        seconds = spec.num_frames / spec.fps
        drift = smooth(rng, spec.num_frames, 0.5 * seconds, 2)
        flicker = rng.random() < 0.15
        self._gain = (1 + 0.12 * spec.lighting * rng.normal()) * np.exp(0.1 * spec.lighting * drift[:, 0])
        self._gain *= 1 + 0.05 * flicker * rng.standard_normal(spec.num_frames)
        self._tint = np.exp(0.07 * spec.lighting * (rng.normal(size=3) + 0.3 * drift[:, 1:]))
        self._gamma = float(np.exp(0.25 * spec.lighting * rng.normal()))
        self._blur = (
            spec.defocus * spec.height / 200 * np.clip(1 + 0.6 * smooth(rng, spec.num_frames, seconds)[:, 0], 0, 3)
        )
        self._gray = spec.grayscale
        self._quality = round(97 - 75 * spec.compression) if spec.compression > 0 else 0
        self._offsets = rng.integers(0, _MARGIN, (spec.num_frames, 2))
        self._grain: np.ndarray | None = None
        if spec.noise > 0:
            grain: np.ndarray = rng.standard_normal((spec.height + _MARGIN, spec.width + _MARGIN, 3), dtype=np.float32)
            if rng.random() < 0.5:
                grain = cv2.GaussianBlur(grain, (0, 0), 0.7) * 2
            self._grain = np.clip(grain * (14 * spec.noise), -127, 127).astype(np.int16)
        y, x = np.mgrid[-1 : 1 : spec.height * 1j, -1 : 1 : spec.width * 1j]
        fall = 255 * (1 - 0.35 * spec.lighting * rng.uniform(0, 1) * (x * x + y * y) / 2)
        self._vignette = np.repeat(fall[..., None], 3, axis=2).astype(np.uint8)

    def take(self, image: np.ndarray, frame: int) -> np.ndarray:
        """The photograph of what stands before the lens.

        Args:
            image: ``(H, W, 3)`` uint8.
            frame: The frame.
        """
        ramp = (np.arange(256) / 255) ** self._gamma * self._gain[frame]
        table = np.clip(ramp[:, None] * self._tint[frame] * 255, 0, 255).astype(np.uint8)
        image = cv2.multiply(cv2.LUT(image, table[:, None]), self._vignette, scale=1 / 255)
        if self._blur[frame] > 0.3:
            image = cv2.GaussianBlur(image, (0, 0), float(self._blur[frame]))
        if self._gray:
            image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        if self._grain is not None:
            top, left = self._offsets[frame]
            grain = self._grain[top : top + image.shape[0], left : left + image.shape[1]]
            image = cv2.add(image, grain[..., :1].repeat(3, axis=2) if self._gray else grain, dtype=cv2.CV_8U)
        if self._quality:
            _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, self._quality))
            image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        return image
