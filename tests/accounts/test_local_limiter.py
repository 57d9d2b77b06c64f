"""The limits counted in one process, by a clock that the test holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from accounts.limits import Decision, LimitRule
from accounts.local_limiter import LocalLimiter
from tests.accounts.test_limits import rule, subject


def take(limiter: LocalLimiter, *rules: LimitRule, at: float = 0.0, cost: int = 1) -> Decision:
    """One call of an account."""
    return limiter.take(rules, subject(), now_s=at, cost=cost)


def test_a_window_begins_with_its_first_call_and_begins_anew_after_it() -> None:
    limiter, hourly = LocalLimiter(), rule(quota=2)
    assert [take(limiter, hourly, at=at).admitted for at in (100, 3000, 3699.9, 3700)] == [
        True,
        True,
        False,
        True,
    ]
    refused = take(LocalLimiter(), rule(quota=1), cost=2)
    assert (refused.admitted, refused.standings[0].wait_s) == (False, 3600)


def test_the_wait_of_a_bucket_is_just_long_enough() -> None:
    limiter, bucket = LocalLimiter(), rule(quota=2, window_s=1, burst=3)
    assert [take(limiter, bucket).admitted for _ in range(4)] == [True, True, True, False]
    wait_s = take(limiter, bucket).standings[0].wait_s
    assert wait_s == pytest.approx(0.5)
    assert not take(limiter, bucket, at=wait_s - 0.001).admitted
    assert take(limiter, bucket, at=wait_s).admitted


def test_a_bucket_fills_up_to_its_burst_and_no_further() -> None:
    limiter, bucket = LocalLimiter(), rule(quota=10, window_s=1, burst=5)
    assert sum(take(limiter, bucket).admitted for _ in range(20)) == 5
    assert sum(take(limiter, bucket, at=1000).admitted for _ in range(20)) == 5


def test_a_refusal_takes_nothing_from_the_other_limits() -> None:
    limiter = LocalLimiter()
    wide, narrow = rule(quota=10), rule("narrow", quota=1)
    assert [take(limiter, wide, narrow).admitted for _ in range(5)] == [True] + [False] * 4
    assert take(limiter, wide, cost=0).standings[0].remaining == 9


def test_a_refund_counts_for_its_own_window_only() -> None:
    limiter, hourly = LocalLimiter(), rule(quota=1)
    first = take(limiter, hourly)
    limiter.refund(first, 1, now_s=0.0)
    second = take(limiter, hourly)
    assert second.admitted
    assert take(limiter, hourly, at=4000).admitted
    limiter.refund(second, 1, now_s=4000.5)
    assert not take(limiter, hourly, at=4001).admitted


def test_a_refund_gives_a_bucket_no_more_than_has_not_come_back_by_itself() -> None:
    limiter, bucket = LocalLimiter(), rule(quota=1, window_s=1, burst=3)
    early = [take(limiter, bucket) for _ in range(3)]
    late = [take(limiter, bucket, at=10.0) for _ in range(3)]
    assert all(one.admitted for one in (*early, *late))
    for one in early:
        limiter.refund(one, 1, now_s=10.0)
    assert not take(limiter, bucket, at=10.0).admitted
    limiter.refund(late[0], 1, now_s=10.5)  # half of it has come back
    assert take(limiter, bucket, at=10.5).admitted
    assert not take(limiter, bucket, at=10.5).admitted


def test_the_counter_used_longest_ago_makes_room() -> None:
    limiter = LocalLimiter(most=2)
    limits = [rule(name, quota=1) for name in ("a", "b", "c")]
    for one in limits:
        assert take(limiter, one).admitted
    assert [take(limiter, one).admitted for one in reversed(limits)] == [False, False, True]


def test_parallel_threads_get_the_quota_and_not_one_more() -> None:
    limiter, hourly = LocalLimiter(), rule(quota=500)
    with ThreadPoolExecutor(8) as threads:
        decisions = list(threads.map(lambda _: take(limiter, hourly), range(600)))
    assert sum(decision.admitted for decision in decisions) == 500
