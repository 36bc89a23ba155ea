"""The YAML files of DeepLabCut and Ultralytics: read as text alone, written as JSON, which YAML includes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from formats.errors import refuse
from formats.files import read_text

MAX_BYTES = 2**20


def load(path: Path) -> dict[str, Any]:
    """The mapping that a file is, every scalar of it as text: nothing in it becomes an object of another kind.

    Raises:
        FormatError: It is not there, or no YAML.
    """
    text = read_text(path, most=MAX_BYTES)
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise refuse(path, line, f"not YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError) as error:
        raise refuse(path, "", f"not YAML: {str(error)[:200]}") from None
    if not isinstance(found, dict):
        raise refuse(path, "", "no list of names with values")
    return found


def items(value: object) -> list[Any]:
    """The elements of a list; none of anything else."""
    return value if isinstance(value, list) else []


def strings(value: object) -> list[str]:
    """The texts in a list."""
    return [one for one in items(value) if isinstance(one, str)]


def said_true(value: object) -> bool:
    """Whether a text says ``true``; what is no text is not unfolded to be compared."""
    return isinstance(value, str) and value.lower() == "true"


def whole(value: str) -> int | None:
    """The number that a few digits say; None where there is something else."""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def dump(values: Mapping[str, Any]) -> str:
    """A line for each name and its value."""
    return "".join(f"{name}: {json.dumps(value, ensure_ascii=False)}\n" for name, value in values.items())
