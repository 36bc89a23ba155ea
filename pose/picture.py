"""A decoded frame as an array: RGB or luma, turned the right way up; and a checksum to know it again by."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """The rotation and mirroring of a frame for display, from its display matrix.

    Returns:
        Degrees clockwise (0, 90, 180 or 270), and whether to mirror left and right after that.
    """
    side_data: Any = frame.side_data  # declared as a dict, but it holds and iterates over SideData objects
    matrices = [bytes(data) for data in side_data if data.type is SideDataType.DISPLAYMATRIX]
    if not matrices:
        return 0, False
    # A stored point (x, y) is displayed at (a x + c y, b x + d y), with y pointing down.
    a, b, _, c, d, *_ = struct.unpack("=9i", matrices[0])
    mirrored = a * d - b * c < 0
    return round(math.degrees(math.atan2(b, -a if mirrored else a)) / 90) * 90 % 360, mirrored


def turn(picture: np.ndarray, rotation: int, mirrored: bool) -> np.ndarray:
    """A view of ``picture`` ``(H, W, ...)`` turned as ``orientation`` says."""
    turned = np.rot90(picture, -rotation // 90) if rotation else picture
    return turned[:, ::-1] if mirrored else turned


def rows(frame: av.VideoFrame, plane: int = 0) -> np.ndarray:
    """A plane's bytes without the padding at the ends of its lines, as a ``(h, bytes per line)`` uint8 view."""
    data = frame.planes[plane]
    layout = frame.format
    bits = layout.components[plane].bits if layout.is_planar else layout.padded_bits_per_pixel
    width = min(data.line_size, data.width * -(-bits // 8))
    lines: np.ndarray = np.frombuffer(memoryview(data), np.uint8).reshape(-1, data.line_size)
    return lines[: data.height, :width]


def checksum(frame: av.VideoFrame) -> int:
    """CRC-32 of every eighth line of the first plane: enough lines to meet each block of the codec."""
    return zlib.crc32(np.ascontiguousarray(rows(frame)[::8]).data)


class Converter:
    """Turns decoded frames into arrays, and keeps the colour conversion's set-up from one frame to the next."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def rgb(self, frame: av.VideoFrame, size: tuple[int, int] | None = None) -> np.ndarray:
        """``(H, W, 3)`` uint8, not turned; shrunk to a width and a height, each pixel the mean of those it covers."""
        width, height = size or (frame.width, frame.height)
        converted = self._reformatter.reformat(
            frame, width, height, format="rgb24", interpolation=Interpolation.AREA if size else None
        )
        return rows(converted).reshape(height, width, 3)

    def luma(self, frame: av.VideoFrame) -> np.ndarray:
        """``(H, W)`` uint8, not turned: the luma plane as coded (16 to 235 in most videos), upper 8 bits where deeper.

        Formats without such a plane (RGB, palettes) give a gray made from the colours.
        """
        name = frame.format.name
        if name.startswith(("yuv", "nv12", "nv21", "gray")) and frame.format.is_planar | name.startswith("gray"):
            bits = frame.format.components[0].bits
            if bits == 8:
                return rows(frame)
            if 8 < bits <= 16 and not name.endswith("be"):
                return (rows(frame).view("<u2") >> (bits - 8)).astype(np.uint8)
        return rows(self._reformatter.reformat(frame, format="gray"))

    def yuv420(self, frame: av.VideoFrame, rotation: int, mirrored: bool) -> av.VideoFrame:
        """The frame as limited-range yuv420p, turned, and made even by repeating the last column and row.

        The samples of a yuv420p frame go through untouched.
        """
        turned = bool(rotation or mirrored)
        odd = bool(frame.width % 2 or frame.height % 2)
        # Chroma samples of odd pictures cannot be turned: they would sit between the wrong pixels.
        planes = self._limited(frame, "yuv444p" if turned and odd else "yuv420p")
        if not (turned or odd):
            return planes
        pictures = [turn(rows(planes, plane), rotation, mirrored) for plane in range(3)]
        height, width = pictures[0].shape
        result = av.VideoFrame(width + width % 2, height + height % 2, planes.format.name)
        for plane, picture in enumerate(pictures):
            target = rows(result, plane)
            target[...] = np.pad(
                picture, ((0, len(target) - len(picture)), (0, target.shape[1] - picture.shape[1])), mode="edge"
            )
        return result if result.format.name == "yuv420p" else self._reformatter.reformat(result, format="yuv420p")

    def _limited(self, frame: av.VideoFrame, pixel_format: str) -> av.VideoFrame:
        if frame.format.name == pixel_format and frame.color_range != ColorRange.JPEG:
            return frame
        return self._reformatter.reformat(
            frame,
            format=pixel_format,
            dst_colorspace=Colorspace.ITU709 if frame.format.is_rgb else None,
            dst_color_range=ColorRange.MPEG,
        )
