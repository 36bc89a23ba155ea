"""Where NaN and Infinity stand in what would otherwise be JSON: they are none, but half the world writes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite
from typing import Any

#: Of longer files it is not looked up: that takes much more time and memory than reading them.
MOST_BYTES = 1024 * 1024


def non_finite(data: bytes) -> Iterator[tuple[str, float]]:
    """Find numbers that are not finite, in order.

    Args:
        data: What a strict reader refused.

    Yields:
        A JSON pointer and the number; nothing where Python cannot read it either, or it is long.
    """
    if len(data) > MOST_BYTES:
        return
    try:
        whole: Any = json.loads(data)  # Python's json writes and reads them
    except (ValueError, RecursionError):
        return
    if isinstance(whole, float) and not isfinite(whole):
        yield "", whole
    path: list[Any] = []
    levels = [_items(whole)]
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            if path:
                path.pop()
            continue
        key, value = entry
        if isinstance(value, float) and not isfinite(value):
            yield "".join(f"/{part}" for part in (*path, key)), value
        elif isinstance(value, dict | list):
            path.append(key)
            levels.append(_items(value))


def _items(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        return iter(node.items())
    return iter(enumerate(node)) if isinstance(node, list) else iter(())
