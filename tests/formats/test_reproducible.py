"""The same table is the same bytes, wherever and whenever it is written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from formats.registry import write
from tests.formats.tables import HERE, two_mice

ROOT = Path(__file__).parents[2]
ELSEWHERE = """
import locale, sys, time
from pathlib import Path
time.tzset()
try:
    locale.setlocale(locale.LC_ALL, "")
except locale.Error:
    pass
from tests.formats.test_reproducible import digests
print(digests(Path(sys.argv[1])))
"""


def digests(folder: Path) -> dict[str, str]:
    """Of the files of each format, by name."""
    found = {}
    for name in HERE:
        target = folder / name
        write(two_mice(name), name, target)
        files = sorted(target.rglob("*")) if target.is_dir() else [target]
        for file in files:
            if file.is_file():
                found[file.relative_to(folder).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "1", "PYTHONUTF8": "0"},
        {"TZ": "America/Lima", "LC_ALL": "C", "PYTHONHASHSEED": "4000", "LANG": "C", "PYTHONUTF8": "0"},
    ],
)
def test_another_process_writes_the_same_bytes(elsewhere, tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [sys.executable, "-c", ELSEWHERE, str(tmp_path / "there")]
    there = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": path, **elsewhere}, cwd=ROOT, capture_output=True, text=True
    )
    assert there.returncode == 0, there.stderr
    assert there.stdout.strip() == str(digests(tmp_path / "here"))


def test_files_are_written_in_plain_utf8_with_plain_line_ends(tmp_path):
    for file in digests(tmp_path):
        data = (tmp_path / file).read_bytes()
        if data.startswith(b"\x89HDF"):
            continue
        assert b"\r" not in data
        data.decode()
