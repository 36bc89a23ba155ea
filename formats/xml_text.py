"""Reading XML element by element; a document type, and with it any entity, is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from formats.errors import FormatError, refuse

_DEEPEST = 50
_LONGEST_TEXT = 2**20

Start = Callable[[str, list[str], dict[str, str]], None]
End = Callable[[str, list[str], str], None]


class XmlFile:
    """A file as it is being read.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._names: list[str] = []
        self._text: list[str] = []
        self._length = 0

    @property
    def place(self) -> str:
        """Where the reader is."""
        return f"line {self._parser.CurrentLineNumber}"

    def fault(self, sentence: str) -> FormatError:
        """An error of this place, to be raised."""
        return refuse(self.path, self.place, sentence)

    def read(self, start: Start, end: End) -> None:
        """Read the file.

        Args:
            start: Called with each element's name, the names of those around it, and its attributes.
            end: Called with each element's name, the names of those around it, and the text since the last element
                began.

        Raises:
            FormatError: It is not there, no XML, or has what is refused.
        """

        def begins(name: str, attributes: dict[str, str]) -> None:
            if len(self._names) >= _DEEPEST:
                raise self.fault("nested too deep")
            start(name, self._names, attributes)
            self._names.append(name)
            self._text, self._length = [], 0

        def ends(name: str) -> None:
            self._names.pop()
            end(name, self._names, "".join(self._text))
            self._text, self._length = [], 0

        def text(piece: str) -> None:
            self._length += len(piece)
            if self._length > _LONGEST_TEXT:
                raise self.fault("a text is too long")
            self._text.append(piece)

        def doctype(*_: object) -> None:
            raise self.fault("a document type is not read")

        self._parser.StartElementHandler = begins
        self._parser.EndElementHandler = ends
        self._parser.CharacterDataHandler = text
        self._parser.StartDoctypeDeclHandler = doctype
        try:
            with self.path.open("rb") as stream:
                self._parser.ParseFile(stream)
        except expat.ExpatError as error:
            sentence = expat.ErrorString(error.code) or "broken"
            raise refuse(self.path, f"line {error.lineno}", f"not XML: {sentence}") from None
        except OSError as error:
            raise refuse(self.path, "", error.strerror or str(error)) from None
        except FormatError:
            raise
        except (LookupError, ValueError) as error:
            raise refuse(self.path, "", f"this cannot be read: {str(error)[:100]}") from None


def tag(name: str, attributes: dict[str, object], *, end: bool = False) -> str:
    """An element's begin; ``end`` for one that holds nothing."""
    said = "".join(f" {key}={quoteattr(allowed(str(value)))}" for key, value in attributes.items())
    return f"<{name}{said}{'/' * end}>"


def allowed(text: str) -> str:
    """A text without what XML cannot hold."""
    return re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
