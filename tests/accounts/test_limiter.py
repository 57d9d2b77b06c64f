"""The limits counted in a real Valkey: exact in parallel, one round trip, and the same rules as in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.limiter import Limiter
from accounts.limits import KEY_PREFIX, Decision, LimitRule
from accounts.local_limiter import LocalLimiter
from observability.redis_link import RedisUnavailable
from tests.accounts.test_limits import rule, subject
from tests.servers import running_valkey


@pytest.fixture
async def limiter(redis_client: redis.Redis) -> AsyncIterator[Limiter]:
    """A limiter on an empty Valkey."""
    async with limiting(os.environ["REDIS_URL"]) as made:
        yield made


@contextlib.asynccontextmanager
async def limiting(url: str) -> AsyncIterator[Limiter]:
    """A limiter on the server at `url`."""
    made = Limiter(url)
    try:
        yield made
    finally:
        await made.close()


async def take(limiter: Limiter, *rules: LimitRule, times: int = 1, cost: int = 1) -> list[Decision]:
    """The decisions on `times` parallel calls of one account."""
    return await asyncio.gather(*(limiter.take(rules, subject(), cost=cost) for _ in range(times)))


def admitted(decisions: list[Decision]) -> int:
    """How many were let in."""
    return sum(decision.admitted for decision in decisions)


@pytest.mark.parametrize("quota", [1, 10, 1000])
async def test_a_window_admits_its_quota_and_not_one_more(limiter: Limiter, quota: int) -> None:
    decisions = await take(limiter, rule(quota=quota), times=quota + 50)
    assert admitted(decisions) == quota
    assert sorted(one.standings[0].remaining for one in decisions if one.admitted) == list(range(quota))
    refused = next(one for one in decisions if not one.admitted)
    assert 3590 < refused.standings[0].wait_s <= 3600


async def test_a_bucket_admits_its_burst_at_once_and_then_one_an_interval(limiter: Limiter) -> None:
    slow = rule(quota=1, window_s=3600, burst=5)
    assert admitted(await take(limiter, slow, times=20)) == 5
    fast = rule("fast", quota=1000, window_s=1, burst=1)
    began = time.monotonic()
    let_in = 0
    while let_in < 50:  # each waits for a round trip, and the bucket for a millisecond
        let_in += admitted(await take(limiter, fast))
    assert time.monotonic() - began >= 0.049


async def test_all_limits_are_taken_or_none(limiter: Limiter) -> None:
    wide, narrow = rule(quota=100), rule("narrow", quota=2)
    decisions = await take(limiter, wide, narrow, times=10)
    assert admitted(decisions) == 2
    [left] = await take(limiter, wide, cost=0)
    assert left.standings[0].remaining == 98


async def test_looking_costs_nothing_and_leaves_no_key(limiter: Limiter, redis_client: redis.Redis) -> None:
    [seen] = await take(limiter, rule(quota=3), rule("burst", burst=5), cost=0)
    assert [one.remaining for one in seen.standings] == [3, 5]
    assert redis_client.keys("*") == []


async def test_a_cost_is_taken_whole_or_not_at_all(limiter: Limiter) -> None:
    assert admitted(await take(limiter, rule(quota=10), cost=7)) == 1
    assert admitted(await take(limiter, rule(quota=10), cost=7)) == 0
    assert admitted(await take(limiter, rule(quota=10), cost=3)) == 1
    bucket = rule("bucket", quota=1, window_s=3600, burst=10)
    assert [admitted(await take(limiter, bucket, cost=cost)) for cost in (7, 7, 3)] == [1, 0, 1]


async def test_a_refund_gives_back_what_was_taken(limiter: Limiter) -> None:
    rules = (rule(quota=2), rule("burst", quota=1, window_s=3600, burst=2))
    for _ in range(10):
        [decision] = await take(limiter, *rules)
        assert decision.admitted
        limiter.refund(decision, 1)
    assert admitted(await take(limiter, *rules, times=5)) == 2


async def test_a_refund_for_a_window_that_has_ended_is_not_given_to_the_next(
    limiter: Limiter, redis_client: redis.Redis
) -> None:
    one = rule(quota=2)
    [decision] = await take(limiter, one)
    redis_client.delete(decision.standings[0].key)  # as if its time were over
    await take(limiter, one, times=2)
    await asyncio.to_thread(redis_client.pexpire, decision.standings[0].key, 60_000)
    limiter.refund(decision, 1)
    assert admitted(await take(limiter, one)) == 0


async def test_every_counter_expires(limiter: Limiter, redis_client: redis.Redis) -> None:
    await take(limiter, rule(quota=5, window_s=60), rule("burst", quota=1, window_s=60, burst=2))
    keys = redis_client.keys(f"{KEY_PREFIX}*")
    assert len(keys) == 2
    assert all(0 < redis_client.pttl(key) <= 60_000 for key in keys)


async def test_a_restarted_redis_gets_the_script_again() -> None:
    with running_valkey() as server:
        async with limiting(server.url) as limiter:
            assert admitted(await take(limiter, rule(quota=1))) == 1
            server.kill()
            with pytest.raises(RedisUnavailable):
                await take(limiter, rule(quota=1))
            server.start()
            decisions = await _until_answered(limiter)
            assert admitted(decisions) == 1


async def _until_answered(limiter: Limiter) -> list[Decision]:
    async with asyncio.timeout(10):
        while True:
            try:
                return await take(limiter, rule(quota=1))
            except RedisUnavailable:
                await asyncio.sleep(0.05)


async def test_an_error_of_redis_is_as_good_as_no_redis(limiter: Limiter, redis_client: redis.Redis) -> None:
    [decision] = await take(limiter, rule())
    redis_client.delete(decision.standings[0].key)
    redis_client.lpush(decision.standings[0].key, "not a counter")
    with pytest.raises(RedisUnavailable, match="WRONGTYPE"):
        await take(limiter, rule())


CALLS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=25)
RULES = st.lists(
    st.builds(
        lambda name, quota, burst: rule(name, quota=quota, window_s=3600, burst=burst),
        st.sampled_from(["a", "b", "c"]),
        st.integers(1, 6),
        st.none() | st.integers(1, 6),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.name,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=RULES, calls=CALLS)
def test_memory_and_redis_decide_alike(
    redis_client: redis.Redis, rules: list[LimitRule], calls: list[tuple[int, bool]]
) -> None:
    """Hours of windows, so that the moments between two calls do not matter; each call may be refunded."""
    redis_client.flushdb()

    async def ask_redis() -> list[tuple[bool, list[int]]]:
        async with limiting(os.environ["REDIS_URL"]) as limiter:
            found = []
            for cost, is_refunded in calls:
                decision = await limiter.take(tuple(rules), subject(), cost=cost)
                found.append((decision.admitted, [one.remaining for one in decision.standings]))
                if is_refunded and decision.admitted:
                    limiter.refund(decision, cost)
            return found

    local = LocalLimiter()
    expected = []
    for cost, is_refunded in calls:
        decision = local.take(rules, subject(), now_s=1000.0, cost=cost)
        expected.append((decision.admitted, [one.remaining for one in decision.standings]))
        if is_refunded and decision.admitted:
            local.refund(decision, cost, now_s=1000.0)
    assert asyncio.run(ask_redis()) == expected
