"""Names that people give: text that every database keeps, and that no terminal, log or file name takes for more."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

MAX_NAME = 200

_CONTROL = r"\u0000-\u001F\u007F-\u009F"


def has_control(text: str) -> bool:
    """Return whether control characters are in a text, NUL among them, or halves of surrogate pairs."""
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def without_control(text: str) -> str:
    """The text, where it has no control characters.

    Raises:
        PydanticCustomError: It has some.
    """
    if has_control(text):
        raise PydanticCustomError("control_character", "a name has no control characters, such as NUL or a line break")
    return text


Plain = AfterValidator(without_control)

#: Says to who reads the schema what ``Plain`` checks.
PLAIN_SCHEMA = {"pattern": f"^[^{_CONTROL}]*$"}

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME,
        pattern=r"\S",
        json_schema_extra={"pattern": f"^[^{_CONTROL}]*[^\\s{_CONTROL}][^{_CONTROL}]*$"},
    ),
    Plain,
]
