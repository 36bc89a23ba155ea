"""A wall clock that can be made to jump, for single processes: the machine's own stays as it is."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("wall_clock.c")


class NoCompiler(Exception):
    """The library that shifts clocks cannot be made here."""


class WallClock:
    """The clock of the processes that are started with its environment.

    Args:
        library: From ``compile_library``.
        file: Where the shift is kept; processes look at it at each reading.
    """

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        file.write_bytes(struct.pack("=q", 0))
        file.chmod(0o644)
        self.environment = {"LD_PRELOAD": str(library), "CHAOS_CLOCK": str(file)}

    def jump(self, seconds: int) -> None:
        """Show so many seconds more than the machine's clock."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", seconds))


def compile_library(folder: Path) -> Path:
    """Make the library.

    Raises:
        NoCompiler: There is no C compiler, or it failed.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise NoCompiler("no C compiler")
    library = folder / "wall_clock.so"
    made = subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, _SOURCE], capture_output=True, text=True)
    if made.returncode:
        raise NoCompiler(made.stderr.strip())
    return library
