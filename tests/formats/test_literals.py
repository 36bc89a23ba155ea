"""Names and numbers out of a pickle, and nothing else."""

from __future__ import annotations

import pickle
from contextlib import suppress
from fractions import Fraction
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.literals import LiteralError, read_literal

LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple),
    max_leaves=12,
)


@given(LITERALS, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_what_was_written_is_read(value, protocol):
    assert read_literal(pickle.dumps(value, protocol)) == value


def test_names_that_repeat_are_written_once_and_read_each_time():
    columns = [(1, [("net", "nose", axis) for axis in ("x", "y", "likelihood")])]
    assert read_literal(pickle.dumps(columns, 0)) == columns


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("it was run",))


@pytest.mark.parametrize("value", [Bomb(), PurePosixPath("a"), Fraction(1, 2), {1, 2}, {"a": 1}, {}, b"bytes", print])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_objects_are_refused_and_not_made(value, protocol):
    with pytest.raises(LiteralError):
        read_literal(pickle.dumps([value], protocol))


@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda data: b"(lp0\n" + data + b"."))
def test_anything_else_is_refused_in_one_way(data):
    with suppress(LiteralError):
        read_literal(data)


@pytest.mark.parametrize("data", [b"", b".", b"(", b"(lp0\n", b"N", b"g5\n.", b"a.", b"0."])
def test_what_breaks_off_is_refused(data):
    with pytest.raises(LiteralError):
        read_literal(data)
