"""Processes share a folder of parts: one writes at a time, and the digest is that of all bytes, whoever wrote them."""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import time

import pytest

from app.uploads.parts import PartMissing, Parts, PartTaken

NAME = "0" * 32


@pytest.fixture
def folder(tmp_path):
    Parts(tmp_path / "parts").make(NAME)
    return tmp_path / "parts"


def write(parts, data, cut=None):
    """Append bytes, and give the digest of all of them."""

    async def hold():
        async with parts.hold(NAME, 0) as part:
            mark = part.mark()
            part.write(data)
            if cut is not None:
                part.cut(mark)
                part.write(cut)
            return part.sha256()

    return asyncio.run(hold())


def test_several_write_by_turns(folder):
    first, second = Parts(folder), Parts(folder)
    whole = b""
    for parts, data in [(first, b"one"), (first, b"two"), (second, b"three"), (first, b"four"), (second, b"five")]:
        whole += data
        assert write(parts, data) == hashlib.sha256(whole).hexdigest()
        assert first.offset(NAME) == second.offset(NAME) == len(whole)
    assert (folder / NAME).read_bytes() == whole


def test_what_is_cut_was_never_there(folder):
    parts = Parts(folder)
    write(parts, b"one")
    assert write(parts, b"wrong", cut=b"two") == hashlib.sha256(b"onetwo").hexdigest()
    assert write(parts, b"!") == hashlib.sha256(b"onetwo!").hexdigest()
    assert (folder / NAME).read_bytes() == b"onetwo!"


def test_one_writes_at_a_time(folder):
    async def both():
        async with Parts(folder).hold(NAME, 0):
            with pytest.raises(PartTaken):
                async with Parts(folder).hold(NAME, 0.1):
                    pass

    asyncio.run(both())
    write(Parts(folder), b"free again")


def test_who_waits_for_a_part_that_goes_away_is_told(folder):
    async def wait():
        async with Parts(folder).hold(NAME, 5):
            pass

    async def both():
        async with Parts(folder).hold(NAME, 0):
            waiting = asyncio.create_task(wait())
            await asyncio.sleep(0.1)
            (folder / NAME).rename(folder.parent / "object")
        await waiting

    with pytest.raises(PartMissing):
        asyncio.run(both())
    with pytest.raises(PartMissing):
        Parts(folder).offset(NAME)


def keep(folder):
    async def hold():
        async with Parts(folder).hold(NAME, 0) as part:
            part.write(b"12345")
            time.sleep(60)

    asyncio.run(hold())


def test_a_killed_writer_keeps_nothing_locked(folder):
    parts = Parts(folder)
    child = multiprocessing.get_context("spawn").Process(target=keep, args=(folder,))
    child.start()
    deadline = time.monotonic() + 60
    while parts.offset(NAME) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(PartTaken):
        write(parts, b"x")
    child.kill()
    child.join()
    assert write(parts, b"6") == hashlib.sha256(b"123456").hexdigest()
