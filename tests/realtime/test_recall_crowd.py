"""Many subscribers at once cost the stores a few calls, and one of them takes nothing from the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from predictions import reads
from realtime.batches import Batch
from realtime.recall import Owed, Read
from tests.realtime.peers import document, updates
from tests.realtime.world import Gate, World, open_world, since


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Everything works."""
    made = await open_world(monkeypatch)
    yield made
    await made.hub.stop()


async def test_a_thousand_who_ask_for_the_same_newest_values_cost_one_or_two_calls(world: World) -> None:
    world.recorded += [document(0, f"OLD{n}") for n in range(3)]
    readers = await asyncio.gather(*[world.come("OLD0", "OLD1", "OLD2") for _ in range(1_000)])
    assert {tuple(sorted(reader.seqs)) for reader in readers} == {(0, 0, 0)}
    assert 1 <= len(world.asked_newest) <= 2


async def test_who_asks_during_a_read_gets_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, holds_answer=False)
    world.recorded += [document(0, "OLD"), document(0, "OLDER")]
    first = asyncio.create_task(world.come("OLD"))
    await gate.until_held()
    others = [asyncio.create_task(world.come("OLD", "OLDER")) for _ in range(5)]
    await asyncio.sleep(0)
    gate.go_on.set()
    readers = await asyncio.gather(first, *others)
    assert world.asked_newest == [["OLD"], ["OLD", "OLDER"]]
    assert [len(reader.seqs) for reader in readers] == [1] + [2] * 5


async def test_symbols_beyond_what_a_store_takes_at_once_are_read_in_slices(world: World) -> None:
    symbols = [f"OLD{n}" for n in range(1_200)]
    world.recorded += [document(0, symbol) for symbol in symbols]
    slices = [symbols[start : start + 100] for start in range(0, len(symbols), 100)]
    readers = await asyncio.gather(*[world.come(*some) for some in slices])
    assert [len(reader.seqs) for reader in readers] == [100] * 12
    # SQLite takes 500 parts of one query at most, and REST asks for 100.
    assert max(map(len, world.asked_newest)) <= 500


async def test_one_who_goes_takes_the_answer_from_nobody(world: World) -> None:
    world.recorded.append(document(0, "OLD"))
    tasks = [asyncio.create_task(world.come("OLD")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [isinstance(one, BaseException) for one in results[1:]] == [False, False]


async def test_a_failure_that_nobody_foresaw_ends_no_socket_and_the_next_read_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(symbols: Sequence[str]) -> dict[str, object]:
        raise ZeroDivisionError

    world.recorded.append(document(0, "OLD"))
    with monkeypatch.context() as patched:
        patched.setattr(reads, "newest_predictions", fail)
        async with asyncio.timeout(2):
            assert not await world.subscribe(world.reader(), "OLD")
    reader = await world.come("OLD")
    assert reader.story == [{0}]


async def test_a_stopped_store_is_asked_again_by_the_next(world: World) -> None:
    world.recorded.append(document(0, "OLD"))
    world.stores_are_away = True
    assert not await world.subscribe(world.reader(), "OLD")
    world.stores_are_away = False
    assert (await world.come("OLD")).story == [{0}]


async def test_what_is_owed_of_an_empty_world_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    reader = await world.come("AAPL", since=since(0))
    assert (reader.story, world.asked_missed) == ([], [])
    other = await world.come("AAPL")
    await world.hub.take(Batch("a", 1, updates(1)))
    assert (reader.story, other.story) == ([1], [1])
    assert world.hub.recall.owed(["AAPL"], Read(), since=None, snapshot=False) == Owed()
