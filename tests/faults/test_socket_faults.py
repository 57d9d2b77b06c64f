"""A thousand sockets while Redis, NATS and the bridge are killed: none closes, none misses an update.

A tenth of them is cut off by itself in the middle, comes back with `since`, and asks again where it is told
of a gap: what it has then is what the record holds of its symbol. The others have the newest value, and
every update that they have not is in a gap that they were told of (a message that dies with a bridge is
delivered again after newer ones).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import nats.errors

from tests.faults.followers import Follower
from tests.stack import Stack, event

SOCKETS = 1_000
RESUMING = 100
SYMBOLS = [f"QF{letter}" for letter in "ABCDEFGHIJ"]


@contextlib.contextmanager
def _feeding(stack: Stack) -> Iterator[None]:
    """Publish to the symbols in turn, about twenty a second, whoever is away."""
    stop = threading.Event()

    def feed() -> None:
        for symbol in itertools.cycle(SYMBOLS):
            with contextlib.suppress(OSError, TimeoutError, nats.errors.Error):
                stack.publish(event(symbol))
            if stop.wait(0.02):
                return

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield
    finally:
        stop.set()
        feeder.join()


@contextlib.asynccontextmanager
async def _following(stack: Stack) -> AsyncIterator[list[Follower]]:
    followers = [
        Follower(stack, SYMBOLS[number % len(SYMBOLS)], asks_again=number < RESUMING)
        for number in range(SOCKETS)
    ]
    tasks = []
    for start in range(0, SOCKETS, 50):
        some = followers[start : start + 50]
        tasks += [asyncio.create_task(follower.follow()) for follower in some]
        async with asyncio.timeout(20):
            await asyncio.gather(*(follower.is_subscribed.wait() for follower in some))
    try:
        yield followers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _recorded(stack: Stack) -> dict[str, list[int]]:
    """What the record holds of each symbol."""
    found: dict[str, list[int]] = {symbol: [] for symbol in SYMBOLS}
    for symbol, seq in stack.rows("SELECT symbol, seq FROM predictions_prediction ORDER BY seq"):
        found[symbol].append(seq)
    return found


async def _until(check: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if await asyncio.to_thread(check):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 30 s: {what}")


async def test_no_socket_closes_and_every_update_comes_once(own_stack: Stack) -> None:
    bridge = await asyncio.to_thread(own_stack.start_bridge)
    await asyncio.to_thread(own_stack.start_web)
    async with _following(own_stack) as followers:
        with _feeding(own_stack):
            await _goes_on(own_stack, "at the beginning")
            await asyncio.to_thread(own_stack.redis.kill)
            await asyncio.to_thread(own_stack.redis.start)
            await _goes_on(own_stack, "after Redis")
            await asyncio.gather(*(follower.cut() for follower in followers[:RESUMING]))
            await asyncio.to_thread(own_stack.nats.kill)
            await asyncio.to_thread(own_stack.nats.start)
            await _goes_on(own_stack, "after NATS")
            bridge.kill()
            await asyncio.to_thread(own_stack.start_bridge_at_once)
            await _goes_on(own_stack, "after the bridge")
        await _until(own_stack.is_idle, "the bridge has told everything")
        recorded = await asyncio.to_thread(_recorded, own_stack)

        def is_complete() -> bool:
            return all(
                follower.seqs and follower.seqs[-1] == recorded[symbol][-1]
                for follower, symbol in zip(followers, itertools.cycle(SYMBOLS), strict=False)
            )

        await _until(is_complete, "everyone has the newest")
        assert not [error for follower in followers for error in follower.errors]
        assert [follower.closes for follower in followers] == [1] * RESUMING + [0] * (SOCKETS - RESUMING)
        for number, (follower, symbol) in enumerate(zip(followers, itertools.cycle(SYMBOLS), strict=False)):
            if number < RESUMING:
                assert sorted(set(follower.seqs)) == recorded[symbol]
                assert follower.gaps or follower.seqs == recorded[symbol]
            else:
                assert follower.seqs == sorted(set(follower.seqs))
                missed = set(recorded[symbol]) - set(follower.seqs)
                assert all(follower.is_told_of(seq) for seq in missed), missed


async def _goes_on(stack: Stack, when: str) -> None:
    """Wait until the record has grown by a few updates of every symbol."""
    before = await asyncio.to_thread(_recorded, stack)

    def has_grown() -> bool:
        after = _recorded(stack)
        return all(len(after[symbol]) > len(before[symbol]) + 3 for symbol in SYMBOLS)

    await _until(has_grown, f"predictions are recorded {when}")
