"""Where a video cuts from one shot to another: frames that nothing may be carried across."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np

from pose.frames import FrameSource

#: Part of what identifies a stored result: it changes when other cuts are found.
VERSION = "1"

#: Frames on either side of a frame that tell whether a shot begins there.
REACH = 13

_HEIGHT, _WIDTH = 48, 64  # of a thumbnail
_TILE = 16  # its tiles are looked for one by one
_SEARCH = 8  # as far as this from where they were,
_MOVED_SEARCH = 4  # and from where the whole image moved
_PLAIN = 2.0  # gray levels: a tile with a smaller standard deviation shows nothing
_BUSY = 20.0  # and one with a larger one counts no more for it

# Resemblance of two thumbnails, 0 to 1.
_SUSPECT = 0.45  # neighbours that agree less in place may be a cut
_STRANGE = 0.6  # frames of different shots agree less than this, wherever their tiles went,
_MARGIN = 0.15  # and less by this than frames of the same shot do
_STEADY = 4  # frames apart, in the same shot

_BLOCK = 64  # frames decided together
_KEPT = 4 * _BLOCK  # thumbnails
_STRIDE = 256  # frames looked through at a time for the end of a shot


class Cuts:
    """The cuts of a video as far as somebody asked for them; each frame is looked at once.

    A shot begins at frame ``c`` where the frames up to ``c - 1`` and those from ``c`` on show different things and each
    side continues evenly. What two frames have in common is the normalised cross-correlation of tiles of their
    64 x 48 thumbnails, each looked for around its place and around where the whole image moved (phase correlation):
    brightness, motion and a turning camera leave it high. A cut needs ``c - 1`` to be strange to each of the following
    ``REACH`` frames, and ``c`` to each of the preceding ones, which flashes, black, frozen and damaged frames are not
    when the scene comes back; and both frames to resemble the next ones of their own shot, which frames of noise do
    not. Whether ``c`` is a cut depends on no other frames than these.

    A missed cut costs a correction, a false one takes poses away: in doubt there is none. Dissolves and fades are not
    found, nor a shot of fewer than five frames, nor one that takes the place of another for fewer than ``REACH``.

    The measure and its constants are ours, chosen on rendered and real clips and their concatenations. PySceneDetect
    0.7, the library for this, judges neighbouring frames by the difference of their pixels: on the same thumbnails,
    luma only, its ``AdaptiveDetector`` took nine of ten flashes, black frames and switches of the light for cuts.

    Args:
        frames: Cuts found before.
        scanned: Spans ``start <= frame < stop`` that were looked through before.
    """

    def __init__(self, frames: Iterable[int] = (), scanned: Iterable[Sequence[int]] = ()) -> None:
        self._frames = sorted(frames)
        self._scanned = sorted((int(start), int(stop)) for start, stop in scanned)
        self._thumbnails: dict[int, np.ndarray] = {}

    @property
    def frames(self) -> list[int]:
        """The first frames of shots found so far, ascending."""
        return list(self._frames)

    @property
    def scanned(self) -> list[tuple[int, int]]:
        """Spans ``start <= frame < stop`` that were looked through, ascending and apart."""
        return list(self._scanned)

    def learn(self, frames: Iterable[int], scanned: Iterable[Sequence[int]]) -> None:
        """Add what somebody else found in the same video, see the arguments of the class."""
        self._frames = sorted({*self._frames, *frames})
        self._scanned = _merged([*self._scanned, *((int(start), int(stop)) for start, stop in scanned)])

    def within(self, video: FrameSource, start: int, stop: int) -> list[int]:
        """The cuts ``start <= cut < stop``, ascending.

        Args:
            video: The frames, always of the same video.
            start: First frame.
            stop: The frame after the last.
        """
        for low, high in self._missing(start, stop):
            for begin in range(low, high, _BLOCK):
                self._scan(video, begin, min(begin + _BLOCK, high))
        return self._frames[bisect_left(self._frames, start) : bisect_left(self._frames, stop)]

    def shot_start(self, video: FrameSource, frame: int, low: int) -> int | None:
        """The last cut at or before ``frame`` and after ``low``; None where there is none."""
        for stop in range(frame + 1, low + 1, -_STRIDE):
            if found := self.within(video, max(low + 1, stop - _STRIDE), stop):
                return found[-1]
        return None

    def shot_stop(self, video: FrameSource, frame: int, high: int) -> int | None:
        """The first cut after ``frame`` and before ``high``; None where there is none."""
        for start in range(frame + 1, high, _STRIDE):
            if found := self.within(video, start, min(start + _STRIDE, high)):
                return found[0]
        return None

    def _missing(self, start: int, stop: int) -> list[tuple[int, int]]:
        edges = [start, *(min(max(edge, start), stop) for span in self._scanned for edge in span), stop]
        return [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]

    def _scan(self, video: FrameSource, start: int, stop: int) -> None:
        first = max(0, start - REACH)
        thumbnails = np.stack(list(self._look(video, first, min(video.num_frames, stop + REACH))))
        suspects = first + 1 + np.flatnonzero(_agreement(thumbnails[:-1], thumbnails[1:]) < _SUSPECT)
        cuts = (int(c) for c in suspects if start <= c < stop and _begins_shot(thumbnails, int(c) - first))
        self._frames = sorted({*self._frames, *cuts})
        self._scanned = _merged([*self._scanned, (start, stop)])

    def _look(self, video: FrameSource, start: int, stop: int) -> Iterator[np.ndarray]:
        kept = self._thumbnails
        missing = [index for index in range(start, stop) if index not in kept]
        if missing:
            span = range(missing[0], missing[-1] + 1)
            for index, frame in zip(span, video.frames(span.start, span.stop, gray=True), strict=True):
                kept[index] = _thumbnail(frame)
        yield from (kept[index] for index in range(start, stop))
        for index in list(kept)[:-_KEPT]:
            del kept[index]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    # A whole number of pixels to each of the thumbnail's: the other way takes OpenCV ten times as long.
    rows, columns = (size // least * least for size, least in zip(frame.shape, (_HEIGHT, _WIDTH), strict=True))
    return cv2.resize(frame[: rows or None, : columns or None], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)


def _tiles(thumbnails: np.ndarray) -> np.ndarray:
    """``(..., rows, columns, pixels)`` float32 of ``(..., 48, 64)``."""
    split = thumbnails.reshape(*thumbnails.shape[:-2], _HEIGHT // _TILE, _TILE, _WIDTH // _TILE, _TILE)
    return (
        split.swapaxes(-2, -3)
        .reshape(*split.shape[:-4], _HEIGHT // _TILE, _WIDTH // _TILE, _TILE**2)
        .astype(np.float32)
    )


def _agreement(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The agreement of ``(F, 48, 64)`` thumbnails in place, ``(F,)``; 1 where one shows nothing."""
    one, other = (tiles - tiles.mean(axis=-1, keepdims=True) for tiles in (_tiles(before), _tiles(after)))
    spread = one.std(axis=-1), other.std(axis=-1)
    both = np.minimum(*spread)
    weight = np.where(both > _PLAIN, np.minimum(both, _BUSY), 0)
    correlation = (one * other).mean(axis=-1) / np.maximum(spread[0] * spread[1], _PLAIN**2)
    total = weight.sum(axis=(-1, -2))
    agreement: np.ndarray = np.where(
        total > 0, (weight * correlation).sum(axis=(-1, -2)) / np.maximum(total, _PLAIN), 1
    )
    return agreement


def _begins_shot(thumbnails: np.ndarray, c: int) -> bool:
    last = len(thumbnails) - 1
    if not 2 <= c < last:
        return False
    own = [(c - 2, c - 1), (c, c + 1), (max(0, c - 1 - _STEADY), c - 1), (c, min(last, c + _STEADY))]
    strange = _STRANGE
    for i, j in own:
        strange = min(strange, _resemblance(thumbnails[i], thumbnails[j]) - _MARGIN)
        if strange < 0:
            return False
    others = [
        (c - 1, c),
        *((c - 1, j) for j in range(c + 1, min(c + REACH, last + 1))),
        *((i, c) for i in range(c - 2, max(c - 1 - REACH, -1), -1)),
        (c - 2, c + 1),
    ]
    return all(_resemblance(thumbnails[i], thumbnails[j]) < strange for i, j in others)


def _resemblance(one: np.ndarray, other: np.ndarray) -> float:
    """The share of one thumbnail that is found on the other, 0 to 1; 0 where one of them shows nothing."""
    if min(_tiles(one).std(axis=-1).max(), _tiles(other).std(axis=-1).max()) < _PLAIN:
        return 0
    in_place, _ = _found(one, other, _SEARCH)
    if in_place > _STRANGE + _MARGIN:
        return in_place
    right, down = _shift(one, other)
    moved, share = _found(one, other, _MOVED_SEARCH, right, down)
    # Little overlap agrees by chance.
    return max(in_place, moved) if share > 0.5 else in_place


def _found(one: np.ndarray, other: np.ndarray, search: int, right: int = 0, down: int = 0) -> tuple[float, float]:
    """Mean correlation of the tiles of one thumbnail with their best places on the other, and the share looked for."""
    total = looked = agreed = 0.0
    for y in range(0, _HEIGHT, _TILE):
        for x in range(0, _WIDTH, _TILE):
            tile = one[y : y + _TILE, x : x + _TILE]
            spread = float(tile.std())
            if spread < _PLAIN:
                continue
            weight = min(spread, _BUSY)
            total += weight
            around = other[_around(y + down, search), _around(x + right, search)]
            if min(around.shape) < _TILE:
                continue
            looked += weight
            scores = cv2.matchTemplate(around, tile, cv2.TM_CCOEFF_NORMED)
            agreed += weight * float(np.clip(np.nan_to_num(scores, posinf=0), 0, 1).max())
    return agreed / max(looked, _PLAIN), looked / max(total, _PLAIN)


def _around(place: int, search: int) -> slice:
    return slice(max(0, place - search), max(0, place + _TILE + search))


_FADING = np.outer(np.hanning(_HEIGHT), np.hanning(_WIDTH))


def _shift(one: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """Pixels right and down by which the other thumbnail shows the scene, by phase correlation."""
    spectra = [np.fft.rfft2((image - image.mean()) * _FADING) for image in (one, other)]
    cross = spectra[1] * spectra[0].conj()
    magnitude = np.abs(cross)
    peak = np.fft.irfft2(cross / (magnitude + 1e-3 * magnitude.max()), s=one.shape).argmax()
    down, right = np.unravel_index(peak, one.shape)
    return (int(right) + _WIDTH // 2) % _WIDTH - _WIDTH // 2, (int(down) + _HEIGHT // 2) % _HEIGHT - _HEIGHT // 2
