"""The page's types of the API are those of the API."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_types_are_of_this_api():
    command = [sys.executable, ROOT / "scripts" / "page_types.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_the_lock_file_names_no_registry():
    assert '"resolved"' not in (ROOT / "web" / "package-lock.json").read_text()
