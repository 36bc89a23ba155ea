"""The one exception of every reader and writer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: Places that one error names.
MAX_FAULTS = 20


class FormatError(ValueError):
    """A file that cannot be read, or a data set that a format cannot hold; the text names file and place.

    Attributes:
        path: The file or folder.
        errors: Up to ``MAX_FAULTS`` pairs of a place in it (a line, a JSON pointer, a field; empty for the file as a
            whole) and a sentence.
    """

    def __init__(self, path: Path, errors: Iterable[tuple[str, str]]) -> None:
        self.path = path
        self.errors = [*errors][:MAX_FAULTS]
        place, sentence = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(f"{path}{place and f', {place}'}: {sentence}{more}")


def refuse(path: Path, place: str, sentence: str) -> FormatError:
    """An error of one place, to be raised."""
    return FormatError(path, [(place, sentence)])
