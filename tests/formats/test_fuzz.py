"""Whatever stands in a file, it is read or refused with its name, a place and a sentence."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formats import yaml_text
from formats.dataset import MAX_FRAMES, Dataset, RowError
from formats.errors import FormatError
from formats.media import media_of
from formats.recognise import recognise
from formats.registry import FORMATS, write
from tests.formats.tables import FORMAT_NAMES, HERE, two_mice

PIECES = st.sampled_from(
    [
        b"", b"NaN", b"nan", b"-1", b"0", b"1e400", b"-1e300", b"99999999999999999999999", b"1" * 400, b"1.5", b"null",
        b"true", b"[]", b"{}", b'"', b"'", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b",,,", b"x", b"\t", b"&",
        b"<", b"&#0;", b"]]>", b"../..", b"*a", b"&a [*a]", b"!!python/object:os.system", b"0x10", b"1_000",
        "é٣".encode(), b"\xed\xa0\x80", b"\\ud800", b"frame", b"[" * 2000, b"<a>" * 100,
    ]
)  # fmt: skip
TOKENS = rb'[^\s,:<>"=\[\]{}]+'


def good(name: str) -> dict[str, bytes]:
    folder = Path(tempfile.mkdtemp())
    try:
        write(two_mice(name), name, folder / "poses")
        files = sorted((folder / "poses").rglob("*")) if (folder / "poses").is_dir() else [folder / "poses"]
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.is_file()}
    finally:
        shutil.rmtree(folder)


GOOD = {name: good(name) for name in HERE}


@st.composite
def broken(draw, name: str) -> dict[str, bytes]:
    """The files of a format with some changes: a piece of them replaced, cut off, doubled, or in another encoding."""
    files = dict(GOOD[name])
    for _ in range(draw(st.integers(1, 3))):
        file = draw(st.sampled_from(sorted(files)))
        data = files[file]
        places = [found.span() for found in re.finditer(TOKENS, data)] or [(0, 0)]
        start, stop = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["token", "token", "token", "cut", "double", "encode", "swap", "drop line"]))
        if how == "token":
            files[file] = data[:start] + draw(PIECES) + data[stop:]
        elif how == "swap":
            other = draw(st.sampled_from(places))
            files[file] = data[:start] + data[slice(*other)] + data[stop:]
        elif how == "cut":
            files[file] = data[:start]
        elif how == "double":
            files[file] = data[:stop] + data[start:]
        elif how == "encode":
            other = draw(st.sampled_from(["utf-16", "latin-1", "utf-32"]))
            files[file] = data.decode(errors="replace").encode(other, "replace")
        else:
            lines = data.splitlines(keepends=True) or [b""]
            del lines[draw(st.integers(0, len(lines) - 1))]
            files[file] = b"".join(lines)
    return files


def laid_out(files: dict[str, bytes], folder: Path) -> Path:
    for file, data in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    return folder / "poses"


def told(read, path: Path):
    try:
        return read(path)
    except FormatError as error:
        return error


@pytest.mark.parametrize("name", FORMAT_NAMES)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_broken_file_is_read_or_refused(name, data):
    folder = Path(tempfile.mkdtemp())
    try:
        path = laid_out(data.draw(broken(name)), folder)
        for read in (FORMATS[name].read, recognise):
            found = told(read, path)
            if isinstance(found, FormatError):
                assert str(path) in str(found)  # the file is named
                assert found.errors[0][1]
            else:
                assert isinstance(found, Dataset | str)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", FORMAT_NAMES)
@settings(max_examples=30)
@given(
    data=st.binary(max_size=200) | st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"<a>" * 100_000, b"\xff\xfe"])
)
def test_anything_else_is_refused(name, data):
    folder = Path(tempfile.mkdtemp())
    try:
        (folder / "poses").write_bytes(data)
        with pytest.raises(FormatError, match="poses"):
            FORMATS[name].read(folder / "poses")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_what_is_not_there_is_refused(name, tmp_path):
    with pytest.raises(FormatError, match="gone"):
        FORMATS[name].read(tmp_path / "gone")
    with pytest.raises(FormatError):
        FORMATS[name].read(tmp_path / "nul\0l")
    with pytest.raises(FormatError):
        FORMATS[name].read(tmp_path)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotations><version>&b;</version></annotations>"""
ELSEWHERE = (
    b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations><version>&x;</version></annotations>"""
)


@pytest.mark.parametrize("data", [BOMB, ELSEWHERE])
def test_xml_with_entities_is_refused(data, tmp_path):
    (tmp_path / "bomb.xml").write_bytes(data)
    with pytest.raises(FormatError, match="document type"):
        FORMATS["cvat"].read(tmp_path / "bomb.xml")


def test_numbers_that_ask_for_much_memory_are_refused(tmp_path):
    lines = ["scorer,me,me", "bodyparts,nose,nose", "coords,x,y", "labeled-data/a/img9999999999999.png,1,2"]
    (tmp_path / "CollectedData_me.csv").write_text("\n".join(lines))
    with pytest.raises(FormatError, match=r"line 4.*frame"):
        FORMATS["dlc"].read(tmp_path / "CollectedData_me.csv")
    lines[-1] = lines[-1].removesuffix("1,2") + ","  # nobody is there
    (tmp_path / "CollectedData_me.csv").write_text("\n".join(lines))
    with pytest.raises(FormatError, match=r"CollectedData_me\.csv: frame 9999999999999 shows nobody and is not in"):
        FORMATS["dlc"].read(tmp_path / "CollectedData_me.csv")


@pytest.mark.parametrize("what", ["kpt_shape: [{}, 3]", "kpt_shape: [1, 3]\nflip_idx: [{}]"])
def test_numbers_of_many_digits_are_refused(what, tmp_path):
    (tmp_path / "data.yaml").write_text(what.format("1" * 5000))
    with pytest.raises(FormatError, match=r"(kpt_shape|flip_idx).*: expected"):
        FORMATS["yolo"].read(tmp_path / "data.yaml")


class Unfolding(list):
    """As a list whose aliases of lists of aliases would fill the memory as text."""

    def __repr__(self):
        pytest.fail("it was unfolded")


@pytest.mark.parametrize("name", ["multianimalproject", "cropping"])
def test_lists_that_unfold_without_end_are_no_yes(name, tmp_path, monkeypatch):
    write(two_mice(), "dlc", tmp_path / "there")
    load = yaml_text.load
    monkeypatch.setattr(yaml_text, "load", lambda path: load(path) | {name: Unfolding()})
    found = FORMATS["dlc"].read(tmp_path / "there")
    assert len(found) == 4
    assert [one.crop for one in media_of(tmp_path / "there", "dlc", found, tmp_path)] == [None, None]


@pytest.mark.parametrize(("empty", "length"), [((-1,), None), ((MAX_FRAMES,), None), ((20,), 20)])
def test_a_frame_without_anybody_is_in_its_video(empty, length):
    videos = (replace(two_mice().videos[0], empty=empty, num_frames=length), two_mice().videos[1])
    with pytest.raises(RowError, match=f"frame {empty[0]} shows nobody and is not in the video 'left'"):
        two_mice().with_videos(videos).with_columns()
