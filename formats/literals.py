"""Lists, tuples, texts and numbers that a library wrote down as a pickle: read without running anything.

PyTables keeps the names of a table's columns so. Whatever would make an object of another kind is refused, and so are
mappings: a key of tuples that share tuples would take for ever to be hashed.
"""

from __future__ import annotations

import pickletools
from typing import Any

_TEXTS = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"}
_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PASSED_OVER = {"PROTO", "FRAME"}
_MARK = object()


class LiteralError(ValueError):
    """The bytes say something else, or nothing whole."""


def read_literal(data: bytes) -> Any:
    """What a pickle says that holds nothing but lists, tuples, texts and numbers.

    Raises:
        LiteralError: It holds something else, or is broken.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "STOP":
                (found,) = _last(1, stack)
                if stack:
                    raise LiteralError("there is more")
                return found
            _step(code.name, argument, stack, memo)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise LiteralError(str(error)[:200] or "broken") from None
    raise LiteralError("it breaks off")


def _step(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in _TEXTS or name in _NUMBERS:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _EMPTY:
        stack.append(_EMPTY[name]())
    elif name == "MARK":
        stack.append(_MARK)
    elif name in _TUPLES:
        stack.append(tuple(_last(_TUPLES[name], stack)))
    elif name == "TUPLE":
        stack.append(tuple(_to_mark(stack)))
    elif name == "LIST":
        stack.append(_to_mark(stack))
    elif name in ("APPEND", "APPENDS"):
        items = _last(1, stack) if name == "APPEND" else _to_mark(stack)
        if not isinstance(stack[-1], list):
            raise LiteralError("there is no list to add to")
        stack[-1].extend(items)
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        memo[len(memo) if argument is None else argument] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[argument])
    elif name not in _PASSED_OVER:
        raise LiteralError(f"it holds more than names and numbers ({name})")


def _to_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while (one := stack.pop()) is not _MARK:
        items.append(one)
    return items[::-1]


def _last(count: int, stack: list[Any]) -> list[Any]:
    items = stack[-count:]
    if len(items) < count or any(one is _MARK for one in items):
        raise LiteralError("something is missing")
    del stack[-count:]
    return items
