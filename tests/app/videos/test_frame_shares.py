from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.videos.frame_shares import MOST_CALLERS, Shares


def served(labs, turns=1000):
    """Seconds that labs, which wait all the time, get: how many callers each has, and how long its turns take."""
    shares, had = Shares(), Counter()
    waiting = {lab: range(callers) for lab, (callers, _) in labs.items()}
    for _ in range(turns):
        lab = shares.next(waiting)
        callers, seconds = labs[lab]
        counted = shares.begin(lab, callers)
        shares.end(lab, callers, counted, seconds)
        had[lab] += seconds
    return had


def test_labs_have_time_by_how_many_of_their_people_wait():
    had = served({"one": (1, 0.2), "four": (4, 0.2)})
    assert had["four"] / had["one"] == pytest.approx(4, rel=0.02)


def test_turns_that_take_long_come_less_often():
    had = served({"slow": (3, 1.0), "quick": (3, 0.05)}, turns=4000)
    assert had["slow"] / had["quick"] == pytest.approx(1, rel=0.02)


def test_no_lab_makes_itself_a_larger_share_with_more_keys():
    had = served({"honest": (MOST_CALLERS, 0.2), "many keys": (1000, 0.2)})
    assert had["many keys"] / had["honest"] == pytest.approx(1, rel=0.02)


def test_who_comes_later_is_owed_nothing_and_waits_for_no_debt_of_others():
    shares = Shares()
    for _ in range(50):
        shares.end("early", 1, shares.begin("early", 1), 0.2)
        assert shares.next({"early": [1]}) == "early"
    turns = []
    for _ in range(20):
        lab = shares.next({"early": [1], "late": [1]})
        shares.end(lab, 1, shares.begin(lab, 1), 0.2)
        turns.append(lab)
    assert "late" in turns[:2]
    assert Counter(turns) == {"early": 10, "late": 10}


def test_a_lab_that_leaves_for_a_moment_comes_back_with_what_it_had():
    shares = Shares()
    lab = shares.next({"greedy": [1], "other": [1]})
    shares.end(lab, 1, shares.begin(lab, 1), 30.0)
    for _ in range(10):
        assert shares.next({"other": [1]}) == "other"
        shares.end("other", 1, shares.begin("other", 1), 0.2)
    assert shares.next({"greedy": [1], "other": [1]}) == "other"


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0.001, 5)), min_size=2, max_size=6))
def test_nobody_waits_for_ever(labs):
    had = served(dict(enumerate(labs)), turns=3000)
    least = min(labs, key=lambda one: one[0] / one[1])
    assert len(had) == len(labs) or sum(had.values()) < 40 * least[1] * len(labs) * MOST_CALLERS
