"""Keeping frames in their places when some of a video's packets are damaged.

A decoder goes on after an error, but it does not say which packet was at fault (several are decoded at a time), and it
hands out what follows as if nothing had happened, made from pictures that it does not have. Here each packet is
followed to the frame that comes of it. A packet of which none comes is a lost frame, which keeps its place by its
timestamp; what is decoded after it, up to the next keyframe, is suspect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av
import numpy as np
from av.video.frame import PictureType

#: The furthest that frames come out of their order of decoding (H.264, H.265): no frame waits for more.
_MOST_HELD = 16

#: Where a transport stream says that something is missing, it may be after any of so many packets.
_DOUBTFUL = 3

#: A leap of the clock over so many frames is a seam between two recordings.
_JUMP = 25

#: Packets that are remembered: how many come in before a frame comes out depends on the threads.
_MOST_PENDING = 512

#: A hole in the file is filled where frames are so regular: an interval differs from the header's by this share.
_REGULAR = 0.25


#: Ranges that are told apart; where there are more, those that lie next to each other are taken as one.
_MOST_RANGES = 1000

#: Ranges that a sentence names.
_NAMED = 5


@dataclass(frozen=True, eq=False)
class Decoded:
    """A frame in its place.

    Attributes:
        frame: What was decoded; None where that is damaged.
        pts: Its timestamp, where there is one.
        dts: Its decoding timestamp, where there is one.
    """

    frame: av.VideoFrame | None
    pts: int | None
    dts: int | None


@dataclass(eq=False)
class _Frame:
    """A frame that came out or is lost, and the number of its packet in order of decoding."""

    number: int
    pts: int | None
    frame: av.VideoFrame | None


class DamageTracker:
    """Follows packets to frames, in one pass through a stream.

    A damaged stretch begins with a packet of which no frame comes, or one that the decoder marks, and ends at the next
    keyframe that was decoded well. Before the first good frame, what nobody could decode is passed over: a stream may
    begin between two keyframes. Only where the first keyframe itself is damaged do the frames from there on count.

    Args:
        silent: Whether the codec has packets without a frame (repeated pictures, say), so that only errors tell that a
            frame is lost.
        timed: Whether timestamps say when a frame is shown.
        reordered: Whether frames are shown in another order than they are decoded in.
        interval: The distance of frames by the header, in units of time.
    """

    def __init__(self, *, silent: bool, timed: bool, reordered: bool, interval: float) -> None:
        self._silent = silent
        self._timed = timed
        self._reach = _MOST_HELD if reordered else 0  # packets that a frame without a timestamp may come late
        self._interval = interval
        self._pending: dict[int, int | None] = {}  # timestamps of packets of which no frame came yet, by number
        self._lost: set[int] = set()  # those of them that are known to be lost
        self._given_up: set[int] = set()
        self._came: dict[int, int | None] = {}
        self._last_sent: int | None = None
        self._held: deque[_Frame] = deque()
        self._sent = 0
        self._errors = 0
        self._last_out: int | None = None
        self._given: int | None = None  # the timestamp given last
        self._step: int | None = None  # the last interval
        self._first_key: tuple[int, int | None] | None = None
        self._hurt: float | None = None  # the number of the first damaged packet, until a keyframe comes
        self._doubt: int | None = None
        self._hole: int | None = None
        self._started = False
        self._interlaced = False
        #: Damaged frames since the last good one.
        self.tail = 0

    def send(self, pts: int | None, *, keyframe: bool, hidden: bool = False) -> int:
        """Note a packet before it is decoded; gives its number.

        Args:
            pts: Its timestamp.
            keyframe: Whether the container calls it a keyframe.
            hidden: Whether it has no frame that is shown.
        """
        number = self._sent
        self._sent += 1
        if not self._timed:
            pts = None
        elif pts is not None and self._last_out is not None and pts <= self._last_out:
            # The clock began anew: recordings were put together, which looks like a loss between them.
            pts = self._doubt = None
        elif pts is not None:
            if self._last_sent is not None and pts - self._last_sent > _JUMP * self._interval:
                self._doubt = None
            self._last_sent = pts
        if keyframe and self._first_key is None:
            self._first_key = number, pts
        if not hidden:
            self._pending[number] = pts
            if len(self._pending) - len(self._lost) > _MOST_PENDING:
                del self._pending[next(number for number in self._pending if number not in self._lost)]
        return number

    def fail(self) -> None:
        """Note that the decoder reported an error."""
        self._errors += 1
        # It is known later which packet has no frame, by its timestamp or by those after it that have; where each frame
        # comes before the next packet's, it is the one whose turn it was.
        if not self._timed and not self._reach:
            number = next((number for number in self._pending if number not in self._lost), None)
            if number is not None:
                self._mark(number)

    def lose(self, number: int) -> None:
        """Note that a packet is not whole, and not decoded."""
        self._errors += 1
        self._mark(number)

    def _mark(self, number: int) -> None:
        self._lost.add(number)
        if self._started:
            self._injure(number)

    def doubt(self, number: int) -> None:
        """Note that something may be missing after a packet: what needs earlier frames is suspect from there on."""
        self._doubt = number if self._doubt is None else self._doubt

    def hole(self) -> None:
        """Note that packets are missing before the next one; where frames are regular, it shows how many."""
        self._hole = self._sent
        if self._started:
            self._injure(self._sent - 0.5)

    def take(self, frame: av.VideoFrame) -> Iterator[Decoded]:
        """Take a frame that was decoded; gives those whose places are settled by it."""
        number = frame.opaque if isinstance(frame.opaque, int) else self._sent - 1
        pts = frame.pts if self._timed else None
        if number in self._given_up or (pts is not None and self._came.get(number) == pts):
            return  # its place was given away, or it came before
        self._pending.pop(number, None)
        self._came[number] = pts
        if len(self._came) > 2 * _MOST_HELD:
            del self._came[next(iter(self._came))]
        self._interlaced = frame.interlaced_frame
        self._settle(number, pts)
        self._last_out = self._last_out if pts is None else pts
        if frame.is_corrupt and (self._started or self._hurt is not None or self._begins_badly(number, frame)):
            self._injure(number)
        self._held.append(_Frame(number, pts, frame))
        while self._held and not self._awaits(self._held[0]):
            yield from self._give(self._held.popleft())

    def _begins_badly(self, number: int, frame: av.VideoFrame) -> bool:
        return self._first_key is not None and number == self._first_key[0] and frame.pict_type == PictureType.I

    def pending(self) -> frozenset[int]:
        """The numbers of the packets of which no frame came yet, where one should."""
        if self._silent and not self._errors:
            return frozenset()
        return frozenset(self._pending)

    def finish(self) -> Iterator[Decoded]:
        """Give what is left when all has been decoded: the frames of packets behind the last one are lost."""
        last = self._last_out
        for number, pts in list(self._pending.items()):
            if pts is None:
                behind = not (self._timed or self._silent or self._interlaced)
            else:
                behind = last is None or pts > last
            if behind or number in self._lost:
                self._lose(_Frame(number, pts, None))
        self._pending.clear()
        while self._held:
            yield from self._give(self._held.popleft())

    def _settle(self, number: int, pts: int | None) -> None:
        """Frames come in order of display: a packet that should have been shown before this one has no frame."""
        gone = []
        for earlier, stamp in self._pending.items():
            if stamp is not None and pts is not None:
                passed = stamp < pts
            else:
                passed = stamp is None and earlier < number - (0 if earlier in self._lost else self._reach)
            if passed:
                gone.append((earlier if stamp is None else stamp, earlier))
        for stamp, earlier in sorted(gone):
            # A field of an interlaced picture may be a packet of its own.
            lossy = self._errors > 0 or not (self._silent or self._interlaced) or earlier in self._lost
            stamp = self._pending.pop(earlier)
            if lossy:
                self._lose(_Frame(earlier, stamp, None))

    def _lose(self, lost: _Frame) -> None:
        if not self._started:
            number, pts = self._first_key or (None, None)
            if number is None or lost.number < number:
                return
            if lost.pts is not None and pts is not None and lost.pts < pts:
                return
        self._errors = max(0, self._errors - 1)
        self._lost.discard(lost.number)
        self._given_up.add(lost.number)
        self._injure(lost.number)
        place = len(self._held)
        while place and self._follows(self._held[place - 1], lost):
            place -= 1
        self._held.insert(place, lost)

    def _injure(self, number: float) -> None:
        self._hurt = number if self._hurt is None else min(number, self._hurt)

    def _awaits(self, held: _Frame) -> bool:
        """Return whether a packet that was decoded before, and that this frame may refer to, is still to come out."""
        if held.frame is None or len(self._held) > _MOST_HELD:
            return False
        for number, pts in self._pending.items():
            if number >= held.number:
                return False
            if (not self._timed and self._reach) or (pts is not None and held.pts is not None and pts > held.pts):
                return True
        return False

    def _follows(self, held: _Frame, lost: _Frame) -> bool:
        if held.pts is None or lost.pts is None:
            return not self._timed and held.number > lost.number
        return held.pts > lost.pts

    def _give(self, held: _Frame) -> Iterator[Decoded]:
        frame = held.frame
        if frame is None:
            yield from self._place(None, held.pts, None)
            return
        starts = [start for start in (self._hurt, self._doubt) if start is not None]
        suspect = frame.is_corrupt or any(held.number > start for start in starts)
        if frame.key_frame and frame.pict_type == PictureType.I and not frame.is_corrupt:
            suspect = False
            self._hurt = None if self._hurt is not None and self._hurt < held.number else self._hurt
            if self._doubt is not None and self._doubt + _DOUBTFUL < held.number:
                self._doubt = None
        if suspect and not self._started and self._hurt is None:
            return  # nobody could decode it: the stream begins between two keyframes
        yield from self._place(None if suspect else frame, frame.pts, frame.dts)
        if not suspect and self._hole is not None and self._hole <= held.number:
            self._hole = None

    def _place(self, frame: av.VideoFrame | None, pts: int | None, dts: int | None) -> Iterator[Decoded]:
        if pts is not None and self._given is not None and pts > self._given:
            if self._hole is not None:
                yield from self._filling(pts - self._given)
            else:
                self._step = pts - self._given
        self._started |= frame is not None
        self._given = pts if pts is not None else self._given
        self.tail = 0 if frame is not None else self.tail + 1
        yield Decoded(frame, pts, dts)

    def _filling(self, gap: int) -> Iterator[Decoded]:
        if self._step is None or abs(self._step - self._interval) > _REGULAR * self._interval:
            return
        count = round(gap / self._interval)
        if abs(gap / self._interval - count) > _REGULAR:
            return
        assert self._given is not None
        first = self._given
        for number in range(1, count):
            self.tail += 1
            yield Decoded(None, first + round(number * gap / count), None)


def ranges_of(frames: Sequence[int], *, most: int = _MOST_RANGES) -> tuple[tuple[int, int], ...]:
    """Ascending frames as ranges ``start <= i < stop``; more than ``most`` become fewer, with good frames in them."""
    if not frames:
        return ()
    found = np.asarray(frames, dtype=np.int64)
    gaps = np.diff(found)
    apart = np.flatnonzero(gaps > 1)
    if len(apart) >= most:
        apart = np.sort(apart[np.argsort(-gaps[apart], kind="stable")[: most - 1]])
    starts = found[np.concatenate([[0], apart + 1])]
    stops = found[np.concatenate([apart, [len(found) - 1]])] + 1
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))


def inside(ranges: Sequence[Sequence[int]], frames: np.ndarray) -> np.ndarray:
    """``(F,)`` bool: which of ``(F,)`` frames are in one of the ranges ``start <= i < stop``, which ascend."""
    edges = np.array(ranges, dtype=np.int64).reshape(-1)
    found: np.ndarray = np.searchsorted(edges, frames, side="right") % 2 == 1
    return found


def told(ranges: Sequence[Sequence[int]], num_frames: int) -> str | None:
    """A sentence on damaged frames; None where there are none."""
    count = sum(stop - start for start, stop in ranges)
    if not count:
        return None
    names = [f"{start}" if stop - start == 1 else f"{start} to {stop - 1}" for start, stop in ranges[:_NAMED]]
    if len(ranges) > _NAMED:
        names.append("others")
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    if count == 1:
        return f"Frame {listed} of {num_frames} is damaged or missing: the last good picture is shown there."
    return f"Frames {listed}, {count} of {num_frames}, are damaged or missing: the last good picture is shown there."
