"""Writing rendered pictures as a video that every player and browser shows."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

#: AVCOL_SPC_BT709, what the pictures are tagged with.
_BT709 = 1


class VideoWriter:
    """Writes RGB pictures as an H.264 MP4 (yuv420p, BT.709); a context manager.

    H.264 with 4:2:0 chroma has even sizes only: the last column or row of an odd picture is written twice, and the file
    is a pixel wider or higher than asked for. A ``FrameTable`` with the asked size makes ``Video`` cut it off again.

    The file appears after the ``with`` block; an exception in it leaves nothing behind.

    Args:
        path: Where to write; an existing file is replaced.
        fps: Frames per second; a float is taken as the nearest fraction with a denominator up to 1001.
        width: Of the pictures, in pixels.
        height: Of the pictures, in pixels.
        crf: x264's quality, lower is better; 0 keeps the pixels of the yuv420p picture exactly.
        gop: Frames from one keyframe to the next at most.

    Raises:
        ValueError: Size or rate are not positive.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        fps: float | Fraction,
        width: int,
        height: int,
        *,
        crf: int = 16,
        gop: int = 30,
    ) -> None:
        if width < 1 or height < 1 or not fps > 0:
            raise ValueError(f"a video of {width} x {height} pixels at {fps} frames per second cannot be written")
        self.width = width
        self.height = height
        self._path = Path(path)
        self._part = self._path.with_name(f"{self._path.name}.part")
        self._count = 0
        self._reformatter = VideoReformatter()
        self._container = av.open(
            f"file:{self._part.absolute()}", "w", format="mp4", container_options={"movflags": "faststart"}
        )
        self._stream = self._container.add_stream(
            "libx264",
            rate=Fraction(fps).limit_denominator(1001),
            options={"g": str(gop), "bf": "0", "crf": str(crf), "preset": "veryfast"},
        )
        self._stream.width = width + width % 2
        self._stream.height = height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.colorspace = _BT709
        self._stream.color_primaries = ColorPrimaries.BT709
        self._stream.color_trc = ColorTrc.BT709
        self._stream.color_range = ColorRange.MPEG

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._count:
                self._container.mux(self._stream.encode())
            self._container.close()
            if kind is None and not self._count:
                raise ValueError("a video needs at least one picture")
            if kind is None:
                os.replace(self._part, self._path)
        finally:
            self._part.unlink(missing_ok=True)

    def write(self, rgb: np.ndarray) -> None:
        """Append a picture, ``(H, W, 3)`` uint8 RGB.

        Raises:
            ValueError: The picture has another shape or type.
        """
        if rgb.shape != (self.height, self.width, 3) or rgb.dtype != np.uint8:
            raise ValueError(
                f"a picture of shape {rgb.shape}, {rgb.dtype}; this video takes ({self.height}, {self.width}, 3), uint8"
            )
        if self.width % 2 or self.height % 2:
            rgb = np.pad(rgb, ((0, self.height % 2), (0, self.width % 2), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
        )
        frame.pts = self._count
        frame.time_base = 1 / Fraction(self._stream.codec_context.framerate)
        self._container.mux(self._stream.encode(frame))
        self._count += 1
