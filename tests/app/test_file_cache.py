"""Frames are kept as long as there is room for them, for all processes of a machine."""

from __future__ import annotations

import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.file_cache import FileCache


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "frames"


def aged(folder, name, seconds):
    moment = time.time() - seconds
    os.utime(folder / name, (moment, moment))


def test_what_was_used_last_stays(folder):
    cache = FileCache(folder, 40)
    for age, name in enumerate(("v/a", "v/b", "w/c", "w/d")):
        cache.put(name, name.encode() * 3)
        aged(folder, name, 100 - age)
    assert cache.get("v/a") == b"v/av/av/a"
    cache.put("w/e", bytes(9))
    assert [name for name in ("v/a", "v/b", "w/c", "w/d", "w/e") if name in cache] == ["v/a", "w/d", "w/e"]
    assert cache.get("v/b") is None


def test_other_processes_find_what_one_keeps(folder):
    FileCache(folder, 1000).put("v/a", b"a")
    assert FileCache(folder, 1000).get("v/a") == b"a"


def test_putting_again_replaces(folder):
    cache = FileCache(folder, 1000)
    for size in (10, 10, 7):
        cache.put("v/a", bytes(size))
    assert cache.get("v/a") == bytes(7)
    assert [path.name for path in (folder / "v").iterdir()] == ["a"]


def test_what_does_not_fit_is_not_kept(folder):
    cache = FileCache(folder, 30)
    cache.put("v/a", bytes(10))
    cache.put("v/large", bytes(31))
    assert ("v/a" in cache, "v/large" in cache) == (True, False)


def test_no_room_keeps_nothing(folder):
    cache = FileCache(folder, 0)
    cache.put("v/a", b"a")
    assert cache.get("v/a") is None


def test_a_disk_that_takes_nothing_is_no_error(folder):
    folder.parent.mkdir(exist_ok=True)
    folder.write_bytes(b"a file where the folder should be")
    cache = FileCache(folder, 1000)
    cache.put("v/a", b"a")
    assert "v/a" not in cache


def test_a_folder_can_be_cleared_while_somebody_writes_to_it(folder):
    cache = FileCache(folder, 10**6)

    def write(index):
        cache.put(f"v/{index % 50}", bytes(100))
        if index % 20 == 0:
            cache.clear()
        found = cache.get(f"v/{index % 50}")
        assert found is None or len(found) == 100

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(400)))
    cache.clear()
    assert not folder.exists()


def test_the_folder_stays_within_its_size(folder):
    cache = FileCache(folder, 10_000)
    for index in range(500):
        cache.put(f"v/{index}", bytes(100))
        assert sum(path.stat().st_size for path in (folder / "v").iterdir()) <= 10_000 * 17 / 16
    assert "v/499" in cache


def test_only_its_user_can_read_what_is_kept(folder):
    before = os.umask(0)
    try:
        FileCache(folder, 1000).put("v/a", b"a")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "v/a").stat().st_mode) == 0o600


def test_the_reserve_of_the_disk_is_not_touched(folder, monkeypatch):
    cache = FileCache(folder, 1000)
    cache.put("v/a", b"a")
    monkeypatch.setattr("app.disk.room", lambda _: 2)
    cache.put("v/b", b"three")
    assert ("v/a" in cache, "v/b" in cache) == (True, False)
    assert [path.name for path in (folder / "v").iterdir()] == ["a"]
