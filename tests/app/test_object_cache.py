"""Copies of remote objects stay as long as there is room for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.object_cache import ObjectCache


@pytest.fixture
def cache(tmp_path: Path) -> ObjectCache:
    return ObjectCache(tmp_path / "cache", max_bytes=25)


def add(cache: ObjectCache, folder: Path, name: str, used_at: float | None) -> Path:
    part = folder / f"{name}.part"
    part.write_bytes(bytes(10))
    path = cache.add(name, part)
    if used_at is not None:
        os.utime(path, (used_at, used_at))
    return path


def test_what_was_unused_for_longest_makes_room(cache: ObjectCache, tmp_path: Path) -> None:
    old, older = add(cache, tmp_path, "old", 2000), add(cache, tmp_path, "older", 1000)
    new = add(cache, tmp_path, "new", None)
    assert cache.find("older") is None
    assert not older.exists()
    assert (cache.find("old"), cache.find("new")) == (old, new)


def test_finding_a_copy_uses_it(cache: ObjectCache, tmp_path: Path) -> None:
    add(cache, tmp_path, "first", 1000)
    add(cache, tmp_path, "second", 2000)
    assert cache.find("first") is not None
    add(cache, tmp_path, "third", None)
    assert cache.find("first") is not None
    assert cache.find("second") is None


def test_a_copy_that_was_just_given_away_stays(cache: ObjectCache, tmp_path: Path) -> None:
    paths = [add(cache, tmp_path, f"copy {index}", None) for index in range(5)]
    assert all(path.exists() for path in paths)
