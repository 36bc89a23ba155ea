"""A ZIP of numbered still images, read as ``pose.decoder.Decoder`` reads a video file.

Nothing is unpacked to disk: images are read one by one, each with a bound on its size. What hostile files can still
cost (memory, time) is for the process that calls to limit.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path, PurePosixPath

import av
import cv2
import numpy as np

from pose.damage import Decoded
from pose.decoder import Decoder, Limits, VideoError
from pose.image_folder import RATE, SUFFIXES, number_of
from pose.video_stream import StreamChoice

#: Files of a ZIP, whatever they are.
_MOST_ENTRIES = 1_000_000

_BYTES_A_PIXEL = 16  # of an image file, at most: four channels of 32 bits
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")

#: How the files begin that are decoded: JPEG, PNG, BMP, TIFF and, with its length in between, WebP.
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"RIFF")


class ImageArchive:
    """The images of a ZIP in order of their numbers, the last digits of a name before its ending.

    The lowest number is frame 0. A number that no image has, and an image that cannot be decoded, is a damaged
    frame, so that the others keep their places. Images are turned as their EXIF data says, and brought to 8 bits.

    Args:
        path: A local file.
        limits: What to refuse.

    Raises:
        VideoError: The file is no ZIP, has something in it that it must not, or no numbered images.
    """

    time_base = Fraction(1, RATE)
    nominal_rate = Fraction(RATE)
    broken = False
    missing = 0.0
    unseen = 0
    choice = StreamChoice(0, 1, "only")

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise VideoError("This ZIP cannot be read: it is damaged or cut off.") from error
        try:
            self._images = self._numbered()
        except VideoError:
            self.close()
            raise

    @property
    def claimed_frames(self) -> int:
        """Frames from the lowest number to the highest."""
        return max(self._images) - min(self._images) + 1

    def close(self) -> None:
        """Close the file."""
        self._archive.close()

    def frames(self) -> Iterator[Decoded]:
        """Decode the images in order.

        Raises:
            VideoError: An image is of another size than the first, or larger than a file of so many pixels can be.
        """
        first, size, model = min(self._images), (0, 0), ""
        for number in range(first, max(self._images) + 1):
            entry = self._images.get(number)
            picture = None if entry is None else self._decoded(entry)
            frame = None
            if entry is not None and picture is not None:
                height, width = picture.shape[:2]
                if not model:
                    size, model = (width, height), entry.filename
                elif (width, height) != size:
                    raise VideoError(
                        f"{entry.filename} is {width} x {height} pixels large, but {model} is {size[0]} x {size[1]}:"
                        " all images of a video have one size."
                    )
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number - first, self.time_base
            yield Decoded(frame, number - first, None)

    def _numbered(self) -> dict[int, zipfile.ZipInfo]:
        entries = self._archive.infolist()
        if len(entries) > _MOST_ENTRIES:
            raise VideoError(f"The ZIP has more than {_MOST_ENTRIES} files in it.")
        found: dict[int, zipfile.ZipInfo] = {}
        folders = set()
        for entry in entries:
            place = PurePosixPath(entry.filename)
            _check_entry(entry, place)
            if entry.is_dir() or place.parts[0] == "__MACOSX" or place.name.startswith("."):
                continue
            if place.suffix.lower() in _ARCHIVES:
                raise VideoError(f"There is another archive in the ZIP, {entry.filename}: put in the images.")
            number = number_of(place.name)
            if number is None or place.suffix.lower() not in SUFFIXES:
                continue
            if number in found:
                raise VideoError(f"{found[number].filename} and {entry.filename} are both frame {number}.")
            folders.add(place.parent)
            found[number] = entry
        if not found:
            raise VideoError("There are no numbered images in the ZIP, such as 000001.jpg.")
        if len(folders) > 1:
            one, other = sorted(map(str, folders))[:2]
            raise VideoError(f"The images are in several folders of the ZIP, {one} and {other}: a video has one.")
        span = max(found) - min(found) + 1
        if span > self.limits.max_frames:
            raise VideoError(
                f"The images are numbered from {min(found)} to {max(found)}, which is more than the"
                f" {self.limits.max_frames} frames that are accepted."
            )
        return found

    def _decoded(self, entry: zipfile.ZipInfo) -> np.ndarray | None:
        most = _BYTES_A_PIXEL * self.limits.max_pixels
        try:
            with self._archive.open(entry) as file:
                data = file.read(most + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError):
            return None
        if len(data) > most:
            raise VideoError(f"{entry.filename} is larger than an image of the pixels that are accepted can be.")
        if not data.startswith(_BEGINNINGS) or (data.startswith(b"RIFF") and data[8:12] != b"WEBP"):
            return None
        try:
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
        if picture is None:
            return None
        self.limits.check_size(picture.shape[1], picture.shape[0])
        return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


#: What gives the frames of an upload.
Source = Decoder | ImageArchive


def open_source(path: Path, limits: Limits | None = None) -> Source:
    """Open a video file, or a ZIP of numbered images.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: It cannot be used, or exceeds the limits.
    """
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
                return ImageArchive(path, limits)
    return Decoder(path, limits)


def _check_entry(entry: zipfile.ZipInfo, place: PurePosixPath) -> None:
    name = entry.filename
    if place.is_absolute() or ".." in place.parts or "\\" in name or not place.parts:
        raise VideoError(f"The ZIP names a file outside of it, {name}: pack the images anew.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise VideoError(f"{name} in the ZIP is a link to another file: put the image in itself.")
    if entry.flag_bits & 1:
        raise VideoError(f"{name} in the ZIP is encrypted: pack the images without a password.")
    if not entry.is_dir() and entry.compress_type not in _METHODS:
        raise VideoError(f"{name} in the ZIP is compressed in a way that is not supported: use deflate or none.")
