"""What a file is of is told by what is in it, whatever it is called."""

from __future__ import annotations

import pytest

from formats.errors import FormatError
from formats.recognise import recognise
from formats.registry import FORMATS, write
from tests.formats.tables import FORMAT_NAMES, two_mice


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_what_is_written_is_recognised(name, tmp_path):
    form = FORMATS[name]
    target = tmp_path / "poses.txt"
    write(two_mice(name), name, target)
    assert recognise(target) == name
    inside = [file for file in target.rglob("*") if file.is_file()] if form.kind == "folder" else [target]
    if name == "lightning-pose":
        assert {recognise(file) for file in inside} == {name}
    if name in ("dlc", "dlc-predictions"):
        assert {recognise(file) for file in inside if file.suffix == ".csv"} == {name}


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n", b"<html></html>", b"scorer,a\nbodyparts,b\n"])
def test_what_is_of_no_format_is_refused(data, tmp_path):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(FormatError, match="file"):
        recognise(tmp_path / "file")
    with pytest.raises(FormatError, match="no format"):
        recognise(tmp_path)
    with pytest.raises(FormatError, match="no such file"):
        recognise(tmp_path / "gone")
