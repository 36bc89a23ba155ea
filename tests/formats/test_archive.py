"""What comes packed lies in its folder afterwards, and nowhere else."""

from __future__ import annotations

import stat
import zipfile

import pytest

from formats import archive
from formats.archive import is_archive, unpacked
from formats.errors import FormatError


def packed(path, *names):
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, b"x")
    return path


@pytest.mark.parametrize(
    ("names", "project"),
    [
        (["mice/data.yaml", "mice/labels/a.txt"], "mice"),
        (["data.yaml", "labels/a.txt"], "."),
        (["poses.slp"], "poses.slp"),
        (["labeled-data/left/img1.csv"], "."),
        (["a\\b.csv", "a\\c.csv"], "a"),
        (["mice/data.yaml", "mice/._data.yaml", "__MACOSX/mice/._data.yaml"], "mice"),
        (["poses.slp", "__MACOSX/._poses.slp"], "poses.slp"),
    ],
)
def test_the_project_is_found_in_it(names, project, tmp_path):
    path = packed(tmp_path / "x.zip", *names)
    assert is_archive(path)
    assert unpacked(path, tmp_path / "out") == tmp_path / "out" / project
    assert not [*(tmp_path / "out").rglob("._*")]


def test_other_files_are_none(tmp_path):
    (tmp_path / "x").write_bytes(b"hello")
    assert not is_archive(tmp_path / "x")
    assert not is_archive(tmp_path)


def test_what_unfolds_to_too_much_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    path = packed(tmp_path / "x.zip", "a", "b", "c")
    for name, most in (("MAX_FILES", 2), ("MAX_BYTES", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, most)
            with pytest.raises(FormatError, match="are in it"):
                unpacked(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_broken_archives_and_names_that_are_there_twice_are_refused(tmp_path):
    path = packed(tmp_path / "x.zip", "a")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FormatError, match=r"x\.zip: a broken archive"):
        unpacked(path, tmp_path / "out")
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = packed(tmp_path / "y.zip", "a", "a")
    with pytest.raises(FormatError, match="a broken archive"):
        unpacked(twice, tmp_path / "twice")


@pytest.mark.parametrize("name", [".", "./.", "//.", "..", "a/../../b", "C:/a", "/a"])
def test_names_that_are_none_or_lead_out_are_refused(name, tmp_path):
    path = packed(tmp_path / "x.zip", "a", name)
    with pytest.raises(FormatError, match=r"this is no name of a file|this name leads out of the archive"):
        unpacked(path, tmp_path / "out")


def test_an_entry_without_a_name_is_refused(tmp_path):
    path = packed(tmp_path / "x.zip", "a")
    # The list of contents says that the name has no letter and the comment one.
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 28] = 0
    data[central + 32] = 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match="this is no name of a file"):
        unpacked(path, tmp_path / "out")


def test_damaged_contents_are_a_broken_archive_however_they_are_packed(tmp_path):
    for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / f"{kind}.zip"
        with zipfile.ZipFile(path, "w", kind) as made:
            made.writestr("a", bytes(range(256)) * 40)
        data = bytearray(path.read_bytes())
        data[60:90] = b"\xff" * 30
        path.write_bytes(data)
        with pytest.raises(FormatError, match=rf"{kind}\.zip: a broken archive"):
            unpacked(path, tmp_path / f"out{kind}")


def test_encrypted_contents_and_links_are_refused(tmp_path):
    path = packed(tmp_path / "x.zip", "a")
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"x\.zip, a: this is encrypted"):
        unpacked(path, tmp_path / "out")
    link = zipfile.ZipInfo("a")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(link, "/etc/passwd")
    with pytest.raises(FormatError, match=r"x\.zip, a: this is a link"):
        unpacked(path, tmp_path / "linked")
