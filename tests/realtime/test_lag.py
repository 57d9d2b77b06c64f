"""The histogram of how long updates take: each delivery is in one bucket, and quantiles are bucket bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.lag import BOUNDS_MS, Lag


def test_without_deliveries_there_is_no_quantile() -> None:
    lag = Lag()
    lag.observe(5_000, 0)
    assert lag.quantile_ms(0.5) is None
    assert (lag.count, lag.sum_us, sum(lag.counts)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("lag_us", "bound_ms"),
    [
        (-7, 1),
        (0, 1),
        (1_000, 1),
        (1_001, 2),
        (10_000, 10),
        (10_001, 20),
        (10_000_000, 10_000),
        (99_000_000, 10_000),
    ],
)
def test_a_delivery_falls_into_the_first_bucket_that_holds_it(lag_us: int, bound_ms: int) -> None:
    lag = Lag()
    lag.observe(lag_us, 3)
    assert lag.quantile_ms(0.5) == lag.quantile_ms(1) == bound_ms
    assert (lag.count, lag.sum_us) == (3, 3 * lag_us)


def test_what_takes_longer_than_the_last_bound_is_counted_beyond_it() -> None:
    lag = Lag()
    lag.observe(10_000_001, 1)
    lag.observe(10_000_000, 2)
    assert lag.counts[-2:] == [2, 1]


def test_an_update_to_many_sockets_weighs_as_many() -> None:
    lag = Lag()
    lag.observe(900, 98)
    lag.observe(40_000, 1)
    lag.observe(900_000, 1)
    assert [lag.quantile_ms(share) for share in (0.5, 0.98, 0.99, 1.0)] == [1, 1, 50, 1_000]


@given(
    st.lists(st.tuples(st.integers(min_value=0, max_value=2 * 10**7), st.integers(0, 5)), max_size=30),
    st.floats(min_value=0, max_value=1),
)
def test_a_quantile_is_the_bound_above_the_share_of_all_deliveries(
    observed: list[tuple[int, int]], share: float
) -> None:
    lag = Lag()
    for lag_us, sockets in observed:
        lag.observe(lag_us, sockets)
    all_us = sorted(lag_us for lag_us, sockets in observed for _ in range(sockets))
    assert (lag.count, lag.sum_us, sum(lag.counts)) == (len(all_us), sum(all_us), len(all_us))
    bound = lag.quantile_ms(share)
    if bound is None:
        assert not all_us
    elif bound != BOUNDS_MS[-1]:
        assert sum(lag_us <= bound * 1_000 for lag_us in all_us) >= share * len(all_us)


def test_what_is_longer_ago_than_two_periods_does_not_count_in_the_quantiles() -> None:
    lag = Lag()
    lag.observe(9_000_000, 10)
    lag.turn()
    lag.observe(1_500, 1)
    assert lag.quantile_ms(0.99) == 10_000
    lag.turn()
    assert lag.quantile_ms(0.99) == 2
    lag.turn()
    assert lag.quantile_ms(0.99) is None
    assert lag.count == 11
