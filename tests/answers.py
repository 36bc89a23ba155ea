"""What a service answers, for tests that compare it before and after."""

from __future__ import annotations

from typing import Any

import httpx2


def lasting(answer: httpx2.Response) -> Any:
    """An answer without how much of videos is done: that is counted at any moment after somebody asked for it."""
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    return _without(answer.json(), "share") if is_json else answer.content


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(one, name) for key, one in value.items() if key != name}
    return [_without(one, name) for one in value] if isinstance(value, list) else value
