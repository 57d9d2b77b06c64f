"""Leases on a real Valkey: exact over processes, free after a crash, right again after whatever was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import redis

from gateway_project.settings import BASE_DIR
from realtime import leases as leases_module
from realtime.leases import _WRITE, KEY_PREFIX, TTL_S, Leases
from tests.servers import Server, running_valkey

ACCOUNT = "7"
OTHER = "8"
KEY = f"{KEY_PREFIX}{ACCOUNT}"
LONG_S = 60.0


@contextlib.asynccontextmanager
async def leasing(
    number: int = 1, url: str | None = None, *, ttl_s: float = LONG_S, renew_s: float = LONG_S
) -> AsyncIterator[list[Leases]]:
    """As many as if there were `number` processes."""
    made = [Leases(url or os.environ["REDIS_URL"], ttl_s=ttl_s, renew_s=renew_s) for _ in range(number)]
    try:
        yield made
    finally:
        for one in made:
            await one.stop()


@pytest.fixture
async def leases(redis_client: redis.Redis) -> AsyncIterator[Leases]:
    """One on an empty Valkey, which renews once a minute: not in this test."""
    async with leasing() as [made]:
        yield made


async def take(leases: Leases, most: int | None, times: int = 1) -> int:
    """How many of `times` parallel takes were let in."""
    return sum(await asyncio.gather(*(leases.take(ACCOUNT, most) for _ in range(times))))


def counted(client: redis.Redis, key: str = KEY) -> int:
    """How many sockets of the account Redis knows, expired ones included."""
    fields: Any = client.hgetall(key)
    return sum(int(value.split(b":")[0]) for value in fields.values())


async def until(check: Callable[[], object]) -> None:
    """Wait until `check` is true."""
    async with asyncio.timeout(10):
        while True:
            if check():
                return
            await asyncio.sleep(0.01)


async def until_let_in(leases: Leases, most: int) -> None:
    """Wait until there is room."""
    async with asyncio.timeout(10):
        while True:
            if await leases.take(ACCOUNT, most):
                return
            await asyncio.sleep(0.02)


def hold_up(leases: Leases, which: Callable[[tuple[Any, ...]], bool], *, before: bool) -> asyncio.Event:
    """The first command like `which` waits for the event before it is sent, or before its reply is told."""
    release, call = asyncio.Event(), leases._link.call
    is_first = True

    async def slow(*command: Any) -> Any:
        nonlocal is_first
        is_chosen, is_first = is_first and which(command), is_first and not which(command)
        if is_chosen and before:
            await release.wait()
        reply = await call(*command)
        if is_chosen and not before:
            await release.wait()
        return reply

    leases._link.call = slow  # type: ignore[method-assign]
    return release


async def test_no_more_than_the_most_are_let_in_over_all_processes(redis_client: redis.Redis) -> None:
    async with leasing(3) as made:
        let_in = await asyncio.gather(*(take(one, 20, times=50) for one in made))
        assert sum(let_in) == sum(one.held(ACCOUNT) for one in made) == 20
        assert [one.held(ACCOUNT) for one in made] == let_in
        assert counted(redis_client) == 20
        assert await take(made[0], 20) == 0


async def test_whoever_comes_and_goes_never_finds_more_than_the_most(redis_client: redis.Redis) -> None:
    """Renewals all the while; what is given back is told late, and so is what is taken by unlimited keys."""
    open_now = 0
    highest = 0

    async def come_and_go(leases: Leases, dice: random.Random) -> None:
        nonlocal open_now, highest
        for _ in range(20):
            if await leases.take(ACCOUNT, 5):
                open_now += 1
                highest = max(highest, open_now)
                for _ in range(dice.randrange(4)):
                    await asyncio.sleep(0)
                open_now -= 1
                leases.give_back(ACCOUNT)
            await asyncio.sleep(dice.choice([0, 0, 0.001]))

    async with leasing(3, renew_s=0.002) as made:
        await asyncio.gather(
            *(come_and_go(one, random.Random(seed)) for seed in range(10) for one in made)
        )  # fmt: skip
        assert 2 <= highest <= 5
        assert [one.held(ACCOUNT) for one in made] == [0, 0, 0]
        await until(lambda: not redis_client.exists(KEY))
        await until(lambda: not any(one._accounts for one in made))


async def test_takes_of_one_tick_are_one_question(leases: Leases, redis_client: redis.Redis) -> None:
    redis_client.config_resetstat()
    assert await take(leases, 20, times=50) == 20
    assert await take(leases, 20, times=50) == 0  # this process knows the answer
    stats: Any = redis_client.info("commandstats")
    assert stats["cmdstat_eval"]["calls"] == 1


async def test_each_take_is_judged_by_its_own_most(leases: Leases) -> None:
    """Keys of an account may be on different tiers."""
    assert await asyncio.gather(*(leases.take(ACCOUNT, most) for most in (1, 1, 3, 3, 3))) == [
        True, False, True, True, False,
    ]  # fmt: skip


async def test_accounts_are_counted_apart(leases: Leases) -> None:
    assert await asyncio.gather(*(leases.take(account, 1) for account in ("1", "2", "1"))) == [
        True,
        True,
        False,
    ]
    assert (leases.held("1"), leases.held("2"), leases.held("3")) == (1, 1, 0)


async def test_what_is_given_back_is_free_in_other_processes(redis_client: redis.Redis) -> None:
    async with leasing(2) as [one, other]:
        assert await take(one, 3, times=3) == 3
        assert await take(other, 3) == 0
        one.give_back(ACCOUNT)
        assert one.held(ACCOUNT) == 2
        await until(lambda: counted(redis_client) == 2)
        assert await take(other, 3, times=2) == 1


async def test_many_that_go_at_once_are_told_together(leases: Leases, redis_client: redis.Redis) -> None:
    assert await take(leases, 100, times=100) == 100
    redis_client.config_resetstat()
    for _ in range(100):
        leases.give_back(ACCOUNT)
    await until(lambda: not redis_client.exists(KEY))
    stats: Any = redis_client.info("commandstats")
    assert stats["cmdstat_eval"]["calls"] == 1


async def test_more_is_never_given_back_than_was_taken(leases: Leases, redis_client: redis.Redis) -> None:
    leases.give_back(ACCOUNT)
    assert await take(leases, 1) == 1
    for _ in range(3):
        leases.give_back(ACCOUNT)
    assert leases.held(ACCOUNT) == 0
    await until(lambda: not redis_client.exists(KEY))
    assert await take(leases, 1, times=2) == 1


async def test_what_a_process_held_that_died_is_free_when_it_has_expired(redis_client: redis.Redis) -> None:
    dead = Leases(os.environ["REDIS_URL"], ttl_s=1.0, renew_s=LONG_S)
    async with leasing(ttl_s=1.0, renew_s=LONG_S) as [alive]:
        assert await take(dead, 5, times=4) == 4
        await dead._link.close()
        assert await take(alive, 5, times=5) == 1
        await until_let_in(alive, 2)
        assert alive.held(ACCOUNT) == counted(redis_client) == 2


async def test_nothing_stays_behind_a_process_that_died(redis_client: redis.Redis) -> None:
    dead = Leases(os.environ["REDIS_URL"], ttl_s=0.2, renew_s=LONG_S)
    assert await take(dead, 3, times=3) == 3
    await dead._link.close()
    await until(lambda: not redis_client.exists(KEY))


async def test_a_renewal_drops_what_has_expired_and_what_makes_no_sense(redis_client: redis.Redis) -> None:
    async with leasing(renew_s=0.02) as [alive]:
        assert await take(alive, None) == 1
        redis_client.hset(KEY, mapping={"dead": "5:1", "odd": "many"})
        await until(lambda: redis_client.hlen(KEY) == 1)
        assert counted(redis_client) == 1


async def test_leases_live_for_as_long_as_they_are_renewed(redis_client: redis.Redis) -> None:
    async with leasing(ttl_s=1.0, renew_s=0.1) as [alive]:
        assert await take(alive, 2, times=2) == 2
        first_end: Any = redis_client.pexpiretime(KEY)
        seen = []

        def is_past_its_first_end() -> bool:
            now_s, now_us = redis_client.time()
            seen.append(counted(redis_client))
            return bool(now_s * 1000 + now_us // 1000 > first_end + 500)

        await until(is_past_its_first_end)
        assert set(seen) == {2}


async def test_the_key_expires_with_the_last_lease(leases: Leases, redis_client: redis.Redis) -> None:
    assert await take(leases, 2, times=2) == 2
    assert 0 < redis_client.pttl(KEY) <= LONG_S * 1000
    values: Any = redis_client.hvals(KEY)
    [value] = values
    count, _, ends = value.partition(b":")
    assert count == b"2"
    assert abs(int(ends) - int(redis_client.pexpiretime(KEY))) <= 1


async def test_a_renewal_heals_what_was_deleted(redis_client: redis.Redis) -> None:
    async with leasing(2, renew_s=0.05) as [one, other]:
        assert await take(one, 3, times=3) == 3
        redis_client.delete(KEY)
        await until(lambda: counted(redis_client) == 3)
        assert await take(other, 3) == 0
        one.give_back(ACCOUNT)
        await until(lambda: counted(redis_client) == 2)


async def test_every_account_is_renewed_however_many_there_are(redis_client: redis.Redis) -> None:
    async with leasing(renew_s=0.05) as [one]:
        for account in range(250):
            assert await one.take(f"{account}", None)
        await until(lambda: len(redis_client.keys(f"{KEY_PREFIX}*")) == 250)
        redis_client.flushdb()
        await until(lambda: len(redis_client.keys(f"{KEY_PREFIX}*")) == 250)


async def test_without_a_limit_all_are_let_in_at_once_and_counted(redis_client: redis.Redis) -> None:
    async with leasing(2) as [one, other]:
        assert await take(one, None, times=60) == 60
        await until(lambda: counted(redis_client) == 60)
        assert await take(other, 60) == 0  # the tier has got a limit
        assert await take(other, 61) == 1


async def test_a_lowered_tier_closes_nothing_and_lets_nobody_in(leases: Leases) -> None:
    assert await take(leases, 5, times=5) == 5
    assert await take(leases, 3) == 0
    assert leases.held(ACCOUNT) == 5
    for _ in range(3):
        leases.give_back(ACCOUNT)
    assert await take(leases, 3, times=2) == 1


async def test_a_tier_without_sockets_gets_none_and_leaves_no_trace(
    leases: Leases, redis_client: redis.Redis
) -> None:
    assert await take(leases, 0) == 0
    assert leases._accounts == {}
    assert redis_client.keys("*") == []


def is_question(command: tuple[Any, ...]) -> bool:
    """True for what decides."""
    return command[1] is leases_module._TAKE


def is_write(command: tuple[Any, ...]) -> bool:
    """True for what tells a count."""
    return command[1] is _WRITE


async def test_what_is_given_back_during_a_take_is_not_lost(
    leases: Leases, redis_client: redis.Redis
) -> None:
    assert await take(leases, 5, times=3) == 3
    release = hold_up(leases, is_question, before=False)
    taking = asyncio.create_task(leases.take(ACCOUNT, 5))
    await until(lambda: counted(redis_client) == 4)
    leases.give_back(ACCOUNT)
    leases.give_back(ACCOUNT)
    assert await take(leases, None) == 1
    release.set()
    assert await taking
    assert leases.held(ACCOUNT) == 3
    await until(lambda: counted(redis_client) == 3)


async def test_an_old_count_that_arrives_late_is_put_right(leases: Leases, redis_client: redis.Redis) -> None:
    release = hold_up(leases, is_write, before=True)
    assert await take(leases, None) == 1
    await asyncio.sleep(0)  # the count of 1 is on its way
    assert await take(leases, 5) == 1
    assert counted(redis_client) == 2
    release.set()
    await until(lambda: leases._writing is None)
    assert counted(redis_client) == leases.held(ACCOUNT) == 2


async def test_takes_that_come_during_a_question_go_with_the_next(
    leases: Leases, redis_client: redis.Redis
) -> None:
    release = hold_up(leases, is_question, before=False)
    first = asyncio.create_task(leases.take(ACCOUNT, 3))
    await until(lambda: counted(redis_client) == 1)
    others = asyncio.create_task(take(leases, 3, times=5))
    await asyncio.sleep(0)
    release.set()
    assert (await first, await others) == (True, 2)


async def test_a_renewal_during_a_question_does_not_undo_it(redis_client: redis.Redis) -> None:
    async with leasing(renew_s=0.005) as [leases]:
        release = hold_up(leases, is_question, before=False)
        taking = asyncio.create_task(leases.take(ACCOUNT, 3))
        await until(lambda: counted(redis_client) == 1)
        seen: list[int] = []
        while len(seen) < 20:
            await asyncio.sleep(0.002)
            seen.append(counted(redis_client))
        assert set(seen) == {1}
        release.set()
        assert await taking


async def test_a_take_that_is_cancelled_holds_nothing(leases: Leases, redis_client: redis.Redis) -> None:
    release = hold_up(leases, is_question, before=False)
    taking = asyncio.create_task(leases.take(ACCOUNT, 3))
    await until(lambda: counted(redis_client) == 1)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    release.set()
    await until(lambda: counted(redis_client) == 0)
    assert leases._accounts == {}


async def test_a_take_that_is_cancelled_together_with_its_answer_holds_nothing(leases: Leases) -> None:
    release = hold_up(leases, is_question, before=True)
    taking = asyncio.create_task(leases.take(ACCOUNT, 3))
    await until(lambda: ACCOUNT in leases._accounts)
    account = leases._accounts[ACCOUNT]
    [(_, answer)] = account.waiting
    account.held += 1  # as the answer does
    answer.set_result(True)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert taking.cancelled()
    assert leases.held(ACCOUNT) == 0
    release.set()


async def fall_away(server: Server) -> None:
    """Redis dies."""
    server.kill()


async def hang(server: Server) -> None:
    """Redis answers no more."""
    server.freeze()


@pytest.mark.parametrize("trouble", [fall_away, hang])
async def test_without_redis_each_process_lets_in_the_most(
    trouble: Callable[[Server], Awaitable[None]], caplog: pytest.LogCaptureFixture
) -> None:
    with running_valkey() as server:
        async with leasing(2, server.url, renew_s=0.1) as made:
            assert await take(made[0], 5, times=2) == 2
            await trouble(server)
            caplog.clear()
            with caplog.at_level(logging.ERROR, logger="observability.outages"):
                assert [await take(one, 5, times=9) for one in made] == [3, 5]
                assert [await take(one, 5) for one in made] == [0, 0]
                made[0].give_back(ACCOUNT)
                assert await take(made[0], 5, times=2) == 1
            told = [record.getMessage() for record in caplog.records]
            assert len(told) == 2, told  # once for each of the two
            assert all("Redis (sockets) is unavailable" in line for line in told)
            server.thaw() if trouble is hang else server.start()
            with contextlib.closing(redis.Redis.from_url(server.url)) as client:
                await until(lambda: counted(client) == 10)
            assert await take(made[1], 10) == 0
            for one in made:
                for _ in range(5):
                    one.give_back(ACCOUNT)
            await until_let_in(made[0], 1)


async def test_without_redis_an_unlimited_account_is_let_in_and_counted_later() -> None:
    with running_valkey() as server:
        server.kill()
        async with leasing(1, server.url, renew_s=0.1) as [one]:
            assert await take(one, None, times=3) == 3
            server.start()
            with contextlib.closing(redis.Redis.from_url(server.url)) as client:
                await until(lambda: counted(client) == 3)


async def test_an_error_of_redis_is_as_good_as_no_redis(
    leases: Leases, redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_client.set(KEY, "not leases")
    with caplog.at_level(logging.ERROR, logger="observability.outages"):
        assert await take(leases, 2, times=5) == 2
    assert "the script of the leases is unavailable" in caplog.text
    assert "WRONGTYPE" in caplog.text
    await until(lambda: leases._writing is None)
    assert await leases.take(OTHER, 1)


async def test_stopping_gives_everything_back(redis_client: redis.Redis) -> None:
    async with leasing(2) as [one, other]:
        assert await take(one, 5, times=3) == 3
        assert await take(other, 5) == 1
        for account in range(100, 350):
            assert await one.take(f"{account}", None)
        await until(lambda: len(redis_client.keys("*")) == 251)
        await one.stop()
        assert redis_client.keys("*") == [KEY.encode()]
        assert counted(redis_client) == 1
        one.give_back(ACCOUNT)  # a socket that closes last
        assert await take(other, 5, times=9) == 4


async def test_who_waits_while_it_is_stopped_is_refused(redis_client: redis.Redis) -> None:
    async with leasing() as [one]:
        hold_up(one, is_question, before=False)
        first = asyncio.create_task(one.take(ACCOUNT, 5))
        await until(lambda: counted(redis_client) == 1)
        second = asyncio.create_task(one.take(ACCOUNT, 5))
        third = asyncio.create_task(one.take(OTHER, 5))
        await asyncio.sleep(0)
        await one.stop()
        assert not any(await asyncio.gather(first, second, third))
        assert redis_client.keys("*") == []


async def test_stopping_without_redis_ends() -> None:
    with running_valkey() as server:
        async with leasing(1, server.url) as [one]:
            assert await take(one, 2) == 1
            server.kill()
        assert one.held(ACCOUNT) == 0


async def test_an_event_loop_has_one_and_the_process_knows_what_it_holds(redis_client: redis.Redis) -> None:
    one = leases_module.current()
    try:
        assert one is leases_module.current()
        one.give_back(ACCOUNT)  # a socket that outlived the last ones
        renewing: Any = one._renewing
        assert renewing is None
        assert await take(one, 5, times=2) == 2
        assert await asyncio.to_thread(leases_module.held, ACCOUNT) == 2
        assert one._renewing is not None
    finally:
        await leases_module.stop_current()
    assert leases_module.held(ACCOUNT) == 0
    assert redis_client.keys("*") == []
    await leases_module.stop_current()


def test_the_key_is_documented_with_its_life() -> None:
    document = (BASE_DIR / "docs/ARCHITECTURE.md").read_text()
    [row] = [line for line in document.splitlines() if line.startswith(f"| `{KEY_PREFIX}{{account_id}}` |")]
    assert f"{TTL_S:.0f} s" in row
