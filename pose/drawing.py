"""Drawing poses over video frames, and sheets of frames: README pictures, overlay videos, contact sheets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pose.skeleton import Skeleton
from pose.track import Track

Colour = tuple[int, int, int]

_SHIFT = 4
_CASING: Colour = (18, 18, 22)
_PAPER: Colour = (250, 250, 248)
_INK: Colour = (40, 40, 44)
_FONT = cv2.FONT_HERSHEY_DUPLEX


@dataclass(frozen=True)
class Scheme:
    """RGB colours of a pose's left, right and middle."""

    left: Colour
    right: Colour
    middle: Colour


#: Left blue, right orange, middle green, told apart by colour-blind people too (Okabe & Ito, "Color Universal
#: Design", 2008).
SIDES = Scheme(left=(86, 180, 233), right=(240, 140, 20), middle=(0, 190, 140))

_SUBJECTS = (
    Scheme(left=(120, 200, 250), right=(0, 114, 178), middle=(60, 155, 215)),
    Scheme(left=(240, 228, 66), right=(213, 94, 0), middle=(230, 159, 0)),
    Scheme(left=(222, 160, 200), right=(170, 70, 140), middle=(204, 121, 167)),
    Scheme(left=(120, 215, 190), right=(0, 120, 90), middle=(0, 158, 115)),
)


def subject_scheme(track_id: int) -> Scheme:
    """The colours of a subject in a video with several, ids counting from 1."""
    return _SUBJECTS[(track_id - 1) % len(_SUBJECTS)]


def stroke(height: int, width: int) -> float:
    """Line width in pixels that suits an image of this size."""
    return max(1.0, float(np.sqrt(height * width)) / 240)


def draw_pose(
    frame: np.ndarray,
    xy: np.ndarray,
    visibility: np.ndarray,
    skeleton: Skeleton,
    *,
    radius90: np.ndarray | None = None,
    keyframe: bool = False,
    scheme: Scheme = SIDES,
    line_width: float | None = None,
) -> np.ndarray:
    """Draw one pose over a copy of a frame.

    Points with visibility 0 and their edges are left out; hidden points (1) are drawn fainter, their edges dashed.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB, left as it is.
        xy: ``(K, 2)`` pixels.
        visibility: ``(K,)``.
        skeleton: ``K`` keypoints; the left of a swap pair is its first unless its names say otherwise.
        radius90: ``(K,)`` pixels, drawn as circles where positive.
        keyframe: A person drew this pose: filled points. Pseudo-labels are hollow.
        scheme: Colours.
        line_width: Pixels; by default it follows the size of the frame.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        ValueError: The arrays do not fit the skeleton or the frame is not an RGB image.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"frame is (H, W, 3) uint8, not {frame.shape} {frame.dtype}")
    if xy.shape != (skeleton.size, 2) or visibility.shape != (skeleton.size,):
        raise ValueError(f"xy {xy.shape} and visibility {visibility.shape} do not fit {skeleton.size} keypoints")
    if radius90 is not None and radius90.shape != visibility.shape:
        raise ValueError(f"radius90 {radius90.shape} does not fit {skeleton.size} keypoints")
    width = line_width or stroke(*frame.shape[:2])
    solid, faint = np.ascontiguousarray(frame).copy(), np.ascontiguousarray(frame).copy()
    colours = _point_colours(skeleton, scheme)
    for a, b in skeleton.edges:
        if not (visibility[a] and visibility[b]):
            continue
        sides = {colours[a], colours[b]} - {scheme.middle}
        colour = sides.pop() if len(sides) == 1 else scheme.middle
        if visibility[a] == visibility[b] == 2:
            _line(solid, xy[a], xy[b], colour, width)
        else:
            _dashes(faint, xy[a], xy[b], colour, width)
    for k in np.flatnonzero(visibility):
        canvas = solid if visibility[k] == 2 else faint
        if radius90 is not None and radius90[k] > 0:
            _ring(faint, xy[k], float(radius90[k]), colours[k], max(1.0, 0.6 * width))
        _point(canvas, xy[k], 1.9 * width, colours[k], width, filled=keyframe)
    changed = (faint != frame).any(axis=2, keepdims=True)
    drawn = (solid != frame).any(axis=2, keepdims=True)
    veiled = cv2.addWeighted(faint, 0.62, np.ascontiguousarray(frame), 0.38, 0)
    return np.where(drawn, solid, np.where(changed, veiled, frame))


def _point_colours(skeleton: Skeleton, scheme: Scheme) -> list[Colour]:
    colours = [scheme.middle] * skeleton.size
    for a, b in skeleton.swap:
        first, second = skeleton.keypoints[a].lower(), skeleton.keypoints[b].lower()
        crossed = "right" in first or "left" in second
        colours[a], colours[b] = (scheme.right, scheme.left) if crossed else (scheme.left, scheme.right)
    return colours


def _fixed(point: np.ndarray) -> tuple[int, int]:
    scaled = np.rint(np.clip(point, -30_000, 30_000) * (1 << _SHIFT)).astype(int)
    return int(scaled[0]), int(scaled[1])


def _line(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, colour: Colour, width: float) -> None:
    for shade, thickness in ((_CASING, width + 2), (colour, width)):
        cv2.line(canvas, _fixed(start), _fixed(end), shade, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)


def _dashes(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, colour: Colour, width: float) -> None:
    count = max(1, round(float(np.linalg.norm(end - start)) / (7 * width)))
    cuts = start + (end - start) * (np.arange(2 * count + 1) / (2 * count))[:, None]
    for k in range(0, 2 * count, 2):
        _line(canvas, cuts[k], cuts[k + 1], colour, width)


def _ring(canvas: np.ndarray, centre: np.ndarray, radius: float, colour: Colour, width: float) -> None:
    scaled = max(1, round(min(radius, 10_000.0) * (1 << _SHIFT)))
    cv2.circle(canvas, _fixed(centre), scaled, colour, max(1, round(width)), cv2.LINE_AA, _SHIFT)


def _point(
    canvas: np.ndarray, centre: np.ndarray, radius: float, colour: Colour, width: float, *, filled: bool
) -> None:
    scaled = round(radius * (1 << _SHIFT))
    rim = round(max(1.0, 0.5 * width) * (1 << _SHIFT))
    cv2.circle(canvas, _fixed(centre), scaled + rim, _CASING, -1, cv2.LINE_AA, _SHIFT)
    cv2.circle(canvas, _fixed(centre), scaled, colour, -1, cv2.LINE_AA, _SHIFT)
    if not filled:
        cv2.circle(canvas, _fixed(centre), round(0.55 * scaled), _CASING, -1, cv2.LINE_AA, _SHIFT)


def overlay(
    frame: np.ndarray,
    index: int,
    tracks: Mapping[int, Track],
    skeleton: Skeleton,
    *,
    keyframes: Mapping[int, Collection[int]] | None = None,
    radii: bool = False,
    caption: str | None = None,
) -> np.ndarray:
    """Draw every track's pose on one frame of a video.

    Args:
        frame: ``(H, W, 3)`` uint8 RGB, left as it is.
        index: Which frame of the video it is.
        tracks: Tracks by id; those without this frame are left out.
        skeleton: Their keypoints.
        keyframes: Frames that a person labelled, by track id.
        radii: Whether to draw ``radius90``.
        caption: Text for the lower left corner; by default the frame index and whether a person labelled it.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    drawn = frame
    labelled = False
    for track_id, track in tracks.items():
        row = int(np.searchsorted(track.frames, index))
        if row == len(track) or track.frames[row] != index:
            continue
        keyframe = index in (keyframes or {}).get(track_id, ())
        labelled |= keyframe
        drawn = draw_pose(
            drawn,
            track.xy[row],
            track.visibility[row],
            skeleton,
            radius90=track.radius90[row] if radii else None,
            keyframe=keyframe,
            scheme=SIDES if len(tracks) == 1 else subject_scheme(track_id),
        )
    if caption is None:
        caption = f"{index}  keyframe" if labelled else str(index)
    return write_caption(drawn, caption)


def write_caption(frame: np.ndarray, text: str) -> np.ndarray:
    """A copy of a frame with text on a darkened lower left corner."""
    drawn = np.ascontiguousarray(frame).copy()
    if text:
        scale = max(0.35, 0.3 * stroke(*frame.shape[:2]))
        (long, tall), _ = cv2.getTextSize(text, _FONT, scale, 1)
        margin = round(12 * scale)
        bottom = frame.shape[0]
        corner = drawn[max(0, bottom - tall - 2 * margin) :, : long + 2 * margin]
        corner[:] = corner // 3
        cv2.putText(drawn, text, (margin, bottom - margin), _FONT, scale, _PAPER, 1, cv2.LINE_AA)
    return drawn


def label_strip(width: int, text: str, *, height: int = 22) -> np.ndarray:
    """A strip of paper with centred text, shrunk to fit.

    Returns:
        ``(height, width, 3)`` uint8 RGB.
    """
    strip = np.full((height, width, 3), _PAPER, dtype=np.uint8)
    if text:
        scale = height / 44
        (long, tall), _ = cv2.getTextSize(text, _FONT, scale, 1)
        scale *= min(1.0, (width - 4) / max(long, 1))
        (long, tall), _ = cv2.getTextSize(text, _FONT, scale, 1)
        at = ((width - long) // 2, (height + tall) // 2)
        cv2.putText(strip, text, at, _FONT, scale, _INK, 1, cv2.LINE_AA)
    return strip


def contact_sheet(
    frames: Sequence[np.ndarray], captions: Sequence[str] = (), *, columns: int = 4, gap: int = 6
) -> np.ndarray:
    """Frames side by side on paper, each above its caption.

    Args:
        frames: Images ``(H, W, 3)`` uint8 RGB of one size.
        captions: As many texts, or none.
        columns: Frames per row.
        gap: Pixels of paper between and around them.

    Returns:
        ``(H', W', 3)`` uint8 RGB.

    Raises:
        ValueError: There are no frames, they differ in size, captions are not as many, or columns is not positive.
    """
    if not frames or columns < 1:
        raise ValueError(f"a contact sheet has frames and at least one column, not {len(frames)} in {columns}")
    if captions and len(captions) != len(frames):
        raise ValueError(f"{len(captions)} captions for {len(frames)} frames")
    height, width = frames[0].shape[:2]
    if any(frame.shape != (height, width, 3) for frame in frames):
        raise ValueError("the frames of a contact sheet have one size")
    label = max(16, height // 14) if captions else 0
    across = min(columns, len(frames))
    down = -(-len(frames) // columns)
    pitch_y, pitch_x = height + label + gap, width + gap
    sheet = np.full((down * pitch_y + gap, across * pitch_x + gap, 3), _PAPER, dtype=np.uint8)
    for number, frame in enumerate(frames):
        top, left = gap + number // columns * pitch_y, gap + number % columns * pitch_x
        sheet[top : top + height, left : left + width] = frame
        if captions:
            sheet[top + height : top + height + label, left : left + width] = label_strip(
                width, captions[number], height=label
            )
    return sheet
