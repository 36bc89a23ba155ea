"""Frames are kept as long as there is room for them."""

from __future__ import annotations

from app.videos.frame_cache import FrameCache


def test_what_was_used_last_stays():
    cache = FrameCache(30)
    for key in "abc":
        cache.put(key, key.encode() * 10)
    assert cache.get("a") == b"a" * 10
    cache.put("d", bytes(10))
    assert [key for key in "abcd" if key in cache] == ["a", "c", "d"]
    assert cache.get("b") is None
    assert cache.size == 30


def test_putting_again_counts_once():
    cache = FrameCache(30)
    for _ in range(5):
        cache.put("a", bytes(10))
    cache.put("a", bytes(7))
    assert (cache.size, cache.get("a")) == (7, bytes(7))


def test_what_does_not_fit_is_not_kept():
    cache = FrameCache(30)
    cache.put("a", bytes(10))
    cache.put("large", bytes(31))
    assert "large" not in cache
    assert cache.size == 0


def test_no_room_keeps_nothing():
    cache = FrameCache(0)
    cache.put("a", b"a")
    assert cache.get("a") is None
    assert cache.size == 0
