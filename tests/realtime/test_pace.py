"""A pace lets a burst go and then one at a time, and never more than the rate and the burst."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.pace import Pace

RATES = st.integers(min_value=1, max_value=500)


def count_taken(pace: Pace, now: float) -> int:
    """How many may go at `now`."""
    taken = 0
    while pace.take(now):
        taken += 1
    return taken


def test_ten_go_at_once_and_then_one_every_tenth_of_a_second() -> None:
    pace = Pace(10)
    assert count_taken(pace, 1_000.0) == 10
    went = [tenth for tenth in range(1, 100) if pace.take(1_000.0 + tenth * 0.05 + 0.001)]
    assert went == list(range(2, 100, 2))


def test_at_one_a_second_two_never_go_within_a_second() -> None:
    pace = Pace(1)
    assert [pace.take(now) for now in (5.0, 5.5, 5.999, 6.001, 6.5, 9.0, 9.5)] == [
        True,
        False,
        False,
        True,
        False,
        True,
        False,
    ]


@settings(deadline=None)
@given(
    per_s=RATES, start=st.floats(min_value=0, max_value=1e6), idle_s=st.floats(min_value=1.001, max_value=1e5)
)
def test_the_burst_is_whole_at_first_and_after_a_second_of_rest(
    per_s: int, start: float, idle_s: float
) -> None:
    pace = Pace(per_s)
    assert count_taken(pace, start + 1) == per_s
    assert count_taken(pace, start + 1 + idle_s) == per_s


@settings(deadline=None)
@given(
    per_s=RATES,
    start=st.floats(min_value=0, max_value=1e6),
    steps=st.lists(st.floats(min_value=0, max_value=2.5), max_size=60),
)
def test_no_window_holds_more_than_its_rate_and_one_burst(
    per_s: int, start: float, steps: list[float]
) -> None:
    pace, now, went = Pace(per_s), start, []
    for step in steps:
        now += step
        went += [now] * count_taken(pace, now)
    for first in range(0, len(went), max(1, len(went) // 50)):
        for last in range(first, len(went), max(1, len(went) // 50)):
            window_s = went[last] - went[first]
            assert last - first + 1 <= per_s * window_s + per_s + 1e-3


@settings(deadline=None)
@given(per_s=RATES, steps=st.lists(st.floats(min_value=0, max_value=0.4), max_size=60))
def test_whoever_waits_until_the_next_is_free_is_let_go_then(per_s: int, steps: list[float]) -> None:
    pace, now = Pace(per_s), 1_000.0
    for step in steps:
        now += step
        count_taken(pace, now)
        assert pace.next_free > now
        assert pace.next_free - now <= 1 / per_s + 1e-6
        now = pace.next_free
        assert pace.take(now)


def test_what_is_spent_without_asking_counts_as_well() -> None:
    pace = Pace(10)
    for _ in range(25):
        pace.spend(1_000.0)
    assert not pace.take(1_000.0)
    assert pace.next_free == pytest.approx(1_001.6, abs=1e-3)
