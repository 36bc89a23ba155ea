"""Which engine a name gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.registry import CLASSICAL, PropagationError, resolve


def test_auto_is_the_best_that_is_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert resolve("auto", adapt=True) is resolve("stdpose")
    assert resolve("auto") is CLASSICAL["flow"]
    monkeypatch.setattr("models.registry.TINY", tmp_path / "none.safetensors")
    assert resolve("auto", adapt=True) is CLASSICAL["flow"]
    with pytest.raises(PropagationError, match=r"none\.json cannot be read"):
        resolve("stdpose")
