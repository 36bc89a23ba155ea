"""Questions that are not answered cost a moment and one thread."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from app.timed_probe import TimedProbe


@pytest.fixture
def hanging():
    """Something that answers only when it is let, and what counts how often it was asked."""
    let, asked = threading.Event(), []

    def ask():
        asked.append(threading.current_thread())
        assert let.wait(60)
        return len(asked)

    ask.let, ask.asked = let, asked
    yield ask
    let.set()
    for thread in asked:
        thread.join()


def test_an_answer_is_good_for_a_while():
    asked = []
    question = TimedProbe(lambda: asked.append(1) or len(asked), patience=60, fresh=3600)
    assert [question.answer() for _ in range(3)] == [1, 1, 1]
    anew = TimedProbe(lambda: asked.append(1) or len(asked), patience=60, fresh=0)
    assert [anew.answer() for _ in range(3)] == [2, 3, 4]


def test_an_exception_is_an_answer():
    question = TimedProbe(lambda: 1 / 0, patience=60, fresh=3600)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            question.answer()


def test_who_does_not_answer_is_asked_once(hanging):
    question = TimedProbe(hanging, patience=0.05, fresh=0)
    began = time.monotonic()
    for _ in range(5):
        with pytest.raises(TimeoutError):
            question.answer()
    with pytest.raises(TimeoutError):
        asyncio.run(question.awaited())
    assert time.monotonic() - began < 30
    assert len(hanging.asked) == 1
    hanging.let.set()
    hanging.asked[0].join()
    assert question.answer() == 2


def test_many_wait_for_one_answer(hanging):
    question = TimedProbe(hanging, patience=60, fresh=3600)

    async def together():
        waiting = [asyncio.create_task(question.awaited()) for _ in range(5)]
        while not hanging.asked:
            await asyncio.sleep(0.01)
        waiting.pop().cancel()
        hanging.let.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(together()) == [1, 1, 1, 1]
