"""A ZIP of numbered images is a video of stills; what else may be in a ZIP is refused with a sentence."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pose.decoder import Limits, VideoError
from pose.frame_table import FrameTable
from pose.image_archive import open_source
from pose.image_folder import ImageFolder
from pose.proxy import write_proxy
from pose.video import VideoReader

Files = dict[str, bytes]


def picture(number: int, width: int = 32, height: int = 24) -> np.ndarray:
    """``(H, W, 3)`` uint8 RGB of a gray of its own."""
    return np.full((height, width, 3), 20 + 5 * number, dtype=np.uint8)


def still(number: int, ending: str = ".png", **size: int) -> bytes:
    """It as a file."""
    done, data = cv2.imencode(ending, picture(number, **size))
    assert done
    return data.tobytes()


def pack(path: Path, files: Files, method: int = zipfile.ZIP_STORED) -> Path:
    """Write a ZIP."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def proxy(path: Path, limits: Limits | None = None) -> tuple[FrameTable, list[int]]:
    """The frame table of a source, and the gray of each frame of its proxy."""
    target = path.with_suffix(".mp4")
    work = write_proxy(path, target, limits=limits)
    while True:
        try:
            next(work)
        except StopIteration as end:
            source, copy = end.value
            break
    with VideoReader(target, copy) as video:
        return source, [round(float(frame.mean())) for frame in video.frames()]


def near(found: list[int], numbers: list[int]) -> bool:
    """Whether these are the grays of these numbers."""
    return len(found) == len(numbers) and all(
        abs(gray - 20 - 5 * n) <= 2 for gray, n in zip(found, numbers, strict=True)
    )


@pytest.mark.parametrize("ending", [".png", ".jpg", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_images_come_in_order_of_their_numbers(tmp_path: Path, ending: str, method: int) -> None:
    files = {f"walk/cam2_{number}{ending}": still(number, ending) for number in (9, 10, 11, 8)}
    files |= {"walk/notes.txt": b"1", "__MACOSX/walk/._cam2_8.png": b"x", "walk/.hidden_3.png": b"x"}
    table, grays = proxy(pack(tmp_path / "walk.zip", files, method))
    assert (table.num_frames, table.width, table.height, table.reason) == (4, 32, 24, None)
    assert near(grays, [8, 9, 10, 11])
    np.testing.assert_allclose(table.times, np.arange(4) / 25)
    assert not table.variable_rate


def test_gaps_and_broken_images_keep_their_places(tmp_path: Path) -> None:
    files = {f"{number:06d}.png": still(number) for number in (3, 4, 7, 8, 9)}
    files["000008.png"] = files["000008.png"][:40]
    table, grays = proxy(pack(tmp_path / "a.zip", files))
    assert (table.num_frames, table.damaged) == (7, ((2, 4), (5, 6)))
    assert "damaged or missing" in (table.reason or "")
    assert near(grays, [3, 4, 4, 4, 7, 7, 9])


def test_an_image_whose_bytes_were_damaged_in_the_zip_is_a_damaged_frame(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {f"{number}.bmp": still(number, ".bmp") for number in range(5)})
    data = bytearray(path.read_bytes())
    at = data.index(still(2, ".bmp")) + 100
    data[at : at + 10] = bytes(10)
    path.write_bytes(data)
    table, _ = proxy(path)
    assert (table.num_frames, table.damaged) == (5, ((2, 3),))


def test_sixteen_bits_are_brought_to_eight_and_photographs_are_turned(tmp_path: Path) -> None:
    deep = cv2.imencode(".png", np.full((24, 32), 128 << 8, dtype=np.uint16))[1].tobytes()
    _, grays = proxy(pack(tmp_path / "deep.zip", {"1.png": deep, "2.png": deep}))
    assert all(abs(gray - 128) <= 2 for gray in grays)
    photograph = still(1, ".jpg")
    tag = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"\xff\xe1" + struct.pack(">H", len(tag) + 8) + b"Exif\0\0" + tag
    table, _ = proxy(pack(tmp_path / "turned.zip", {"1.jpg": photograph[:2] + exif + photograph[2:]}))
    assert (table.width, table.height) == (24, 32)


def _link(path: Path) -> Path:
    entry = zipfile.ZipInfo("1.png")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"/etc/passwd")
    return path


def _encrypted(path: Path) -> Path:
    data = bytearray(pack(path, {"1.png": still(1)}).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    return path


def _inner() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("1.png", still(1))
    return data.getvalue()


def _cut(path: Path) -> Path:
    data = pack(path, {"1.png": still(1)}).read_bytes()
    path.write_bytes(data[:-30])
    return path


def _packed(**files: bytes) -> Callable[[Path], Path]:
    return lambda path: pack(path, files)


ONE, TWO = still(1), still(2)
WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "outside": (_packed(**{"../1.png": ONE}), r"outside of it, \.\./1\.png"),
    "absolute": (_packed(**{"/tmp/1.png": ONE}), r"outside of it"),
    "backslash": (_packed(**{"..\\1.png": ONE}), r"outside of it"),
    "link": (_link, r"1\.png in the ZIP is a link"),
    "encrypted": (_encrypted, r"1\.png in the ZIP is encrypted"),
    "method": (lambda path: pack(path, {"1.png": ONE}, zipfile.ZIP_LZMA), r"use deflate"),
    "nested": (_packed(**{"1.png": ONE, "more.zip": _inner()}), r"another archive in the ZIP, more\.zip"),
    "twice": (_packed(**{"a1.png": ONE, "b1.png": ONE}), r"a1\.png and b1\.png are both frame 1"),
    "folders": (_packed(**{"a/1.png": ONE, "b/2.png": TWO}), r"several folders of the ZIP, a and b"),
    "nothing": (_packed(**{"notes.txt": b"1", "cover.png": ONE}), r"no numbered images"),
    "sizes": (_packed(**{"1.png": ONE, "2.png": still(2, width=40)}), r"2\.png is 40 x 24 .* 1\.png is 32 x 24"),
    "cut": (_cut, r"damaged or cut off"),
    "text": (_packed(**{"1.png": b"no image"}), r"Not one frame"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_zip_must_not_have_is_refused_by_name(tmp_path: Path, name: str) -> None:
    make, sentence = WRONG[name]
    path = make(tmp_path / "a.zip")
    with pytest.raises(VideoError, match=sentence):
        proxy(path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.zip"]


def test_limits(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"1.png": still(1), "21.png": still(2)})
    for limits, sentence in (
        (Limits(max_frames=20), "numbered from 1 to 21"),
        (Limits(max_pixels=32 * 24 - 1), "32 x 24 pixels"),
        (Limits(max_seconds=0.5), "0.5 seconds"),
    ):
        with pytest.raises(VideoError, match=sentence):
            proxy(path, limits)
    bomb = pack(tmp_path / "bomb.zip", {"1.bmp": b"BM" + bytes(1_000_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(VideoError, match=r"1\.bmp is larger than an image"):
        proxy(bomb, Limits(max_pixels=1000))


def test_claimed_frames_are_known_before_any_is_read(tmp_path: Path) -> None:
    source = open_source(pack(tmp_path / "a.zip", {"3.png": still(1), "9.png": still(2)}))
    assert source.claimed_frames == 7
    source.close()


def test_a_folder_has_gaps_too(tmp_path: Path) -> None:
    for number in (2, 3, 6):
        (tmp_path / f"{number:05d}.png").write_bytes(still(number))
    with ImageFolder.of(tmp_path) as video:
        assert (video.num_frames, video.damaged) == (5, ((2, 4),))
        assert [int(frame.mean()) for frame in video.frames()] == [30, 35, 35, 35, 50]
        assert video.times.tolist() == [0, 0.04, 0.08, 0.12, 0.16]


def test_without_a_service_a_zip_is_to_be_unpacked(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="unpack it"):
        VideoReader(pack(tmp_path / "a.zip", {"1.png": still(1)}))
