"""A stream's packets in order, and what their places in the file tell of those that are missing between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
from av.container import InputContainer

from pose.damage import DamageTracker

#: Most bytes of packets that are kept to decode the end of a file a second time.
_MOST_KEPT = 32 * 2**20

#: What Matroska puts between two packets, at most.
_HEADER_BYTES = 256

#: Packets of an AVI file that can be lost in a row.
_MOST_LOST = 1_000_000

#: Name and length in front of an AVI file's packet, at which its index points.
_CHUNK_HEAD = 8


class Group:
    """The packets since the last keyframe, as long as they are not too large.

    Attributes:
        packets: In order of decoding; none where they are too large.
    """

    def __init__(self) -> None:
        self.packets: list[av.Packet] = []
        self._bytes = 0

    def add(self, packet: av.Packet) -> None:
        """Add the next packet."""
        if packet.is_keyframe:
            self.packets, self._bytes = [], 0
        self._bytes += packet.size
        if self._bytes <= _MOST_KEPT:
            self.packets.append(packet)
        else:
            self.packets = []


def decode(packet: av.Packet, tracker: DamageTracker) -> list[av.VideoFrame]:
    """The frames that come out when a packet goes in; the tracker is told of an error.

    Raises:
        MemoryError: The process may not have the memory that decoding takes.
    """
    try:
        return packet.decode()
    except MemoryError:
        raise
    except (av.FFmpegError, OSError):
        tracker.fail()
        return []


class AviIndex:
    """Where an AVI file's packets are by its index.

    Attributes:
        times: Timestamp of each packet by its place in the file.
        keyframes: Whether each packet is a keyframe, by its timestamp.
        stop: The timestamp after the last.

    Args:
        stream: The video.
        path: Its file; packets beyond its end do not count.
    """

    def __init__(self, stream: av.VideoStream, path: Path) -> None:
        size = path.stat().st_size
        entries = [entry for entry in stream.index_entries if entry.pos + _CHUNK_HEAD + entry.size <= size]
        self.times = {entry.pos + _CHUNK_HEAD: entry.timestamp for entry in entries}
        self.keyframes = {entry.timestamp: entry.is_keyframe for entry in entries}
        self.stop = entries[-1].timestamp + 1 if entries else 0


def indexed(
    packets: Iterable[av.Packet], index: AviIndex, tracker: DamageTracker, *, intra: bool
) -> Iterator[av.Packet]:
    """Packets of an AVI file beside its index: the demuxer reads on where it finds a head of a packet again.

    Args:
        packets: As they are read.
        index: The file's.
        tracker: Told of packets that were passed over.
        intra: Whether each packet is a picture of its own. An empty one, which is not in the index, repeats a picture;
            where each is a picture of its own, that one is missing.
    """
    last: int | None = None

    def lose(stop: int) -> None:
        start = stop if last is None else last + 1
        for time in range(max(start, stop - _MOST_LOST), stop):
            if intra or time in index.keyframes:
                tracker.lose(tracker.send(time, keyframe=index.keyframes.get(time, False)))

    for packet in packets:
        time = index.times.get(packet.pos) if packet.pos is not None else None
        if time is not None:
            lose(time)
            last = time
            if packet.dts is not None and time != packet.dts:
                packet.pts = None if packet.pts is None else packet.pts + time - packet.dts
                packet.dts = time
        elif not packet.size:
            lose(index.stop)
        yield packet


def contiguous(container: InputContainer, stream: av.VideoStream, tracker: DamageTracker) -> Iterator[av.Packet]:
    """Packets of a Matroska file; where bytes between them are no packet of any stream, the demuxer lost its way."""
    end: int | None = None
    for packet in container.demux():
        if packet.size and packet.pos is not None and packet.pos >= 0:
            if end is not None and packet.pos > end + _HEADER_BYTES:
                tracker.hole()
            end = packet.pos + packet.size
        if packet.stream is stream and (packet.size or packet.dts is None):
            yield packet
