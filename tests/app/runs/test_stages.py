"""Which propagations have two stages of their own accord."""

from __future__ import annotations

import pytest

from app.runs.stages import worth


@pytest.mark.parametrize(
    ("frames", "labels", "expected"),
    [
        (101, [11], True),  # a label on every tenth frame, and on the last
        (101, [12], False),
        (101, [11, 11], True),
        (101, [2, 1], False),  # a track of one label is only followed
        (101, [1], False),
        (101, [0], False),
        (101, [], False),
        (20_000, [101], True),
        (20_000, [101, 101], False),
    ],
)
def test_two_stages_are_worth_it_between_labels_that_lie_apart(frames, labels, expected):
    assert worth(frames, labels) is expected
