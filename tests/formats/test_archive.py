"""What comes packed lies in its folder afterwards, and nowhere else."""

from __future__ import annotations

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
    ],
)
def test_the_project_is_found_in_it(names, project, tmp_path):
    path = packed(tmp_path / "x.zip", *names)
    assert is_archive(path)
    assert unpacked(path, tmp_path / "out") == tmp_path / "out" / project


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
