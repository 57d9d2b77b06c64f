"""Waiting doubles, is bounded, and is spread over the upper half of the delay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.backoff import delay_s


@pytest.mark.parametrize(
    ("attempt", "ceiling_s"), [(1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (6, 3.2), (7, 5.0), (8, 5.0)]
)
def test_the_delay_doubles_up_to_five_seconds(attempt: int, ceiling_s: float) -> None:
    assert ceiling_s / 2 <= delay_s(attempt) <= ceiling_s


@pytest.mark.parametrize("attempt", [30, 31, 32, 1_000, 10**9])
def test_no_attempt_is_too_late_for_the_bound(attempt: int) -> None:
    assert 2.5 <= delay_s(attempt) <= 5.0
    assert delay_s(attempt, most_s=1.0) <= 1.0


@given(
    attempt=st.integers(min_value=1, max_value=10_000),
    first_s=st.floats(min_value=0.001, max_value=10),
    most_s=st.floats(min_value=0.001, max_value=100),
)
def test_every_delay_lies_between_half_and_all_of_what_is_allowed(
    attempt: int, first_s: float, most_s: float
) -> None:
    delay = delay_s(attempt, first_s=first_s, most_s=most_s)
    assert 0 < min(first_s, most_s) / 2 <= delay <= most_s


def test_peers_that_fail_together_do_not_march_in_step() -> None:
    delays = {delay_s(5) for _ in range(100)}
    assert len(delays) > 90
    assert max(delays) - min(delays) > 0.4
