"""What a new subscriber is owed: all it missed in order, or newest values, from memory or the stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.protocol.limits import MAX_RESUMED
from realtime.recall import Owed
from realtime.terms import Terms
from tests.realtime.peers import document, update
from tests.realtime.world import Gate, World, open_world, since


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Everything works."""
    made = await open_world(monkeypatch)
    yield made
    await made.hub.stop()


# From memory


async def test_newest_values_are_served_from_memory_without_a_call(world: World) -> None:
    world.stores_are_away = world.record_is_away = True
    reader = await world.come("AAPL", "MSFT")
    assert (reader.story, world.calls) == ([{1}, {2}], 0)
    await world.tell((3, "AAPL"))
    assert reader.story == [{1}, {2}, 3]


async def test_what_was_missed_is_served_from_memory_without_a_call(world: World) -> None:
    world.stores_are_away = world.record_is_away = True
    await world.tell((3, "AAPL"), (4, "MSFT"), (5, "AAPL"), (6, "XOM"))
    for seen, missed in ((0, [1, 2, 3, 4, 5]), (3, [4, 5]), (5, [])):
        reader = await world.come("AAPL", "MSFT", since=since(seen))
        assert (reader.story, world.calls) == (missed, 0)
    await world.tell((7, "AAPL"))
    assert reader.story == [7]


async def test_each_symbol_is_resumed_from_where_it_was_seen(world: World) -> None:
    await world.tell((3, "AAPL"), (4, "MSFT"), (5, "AAPL"), (6, "MSFT"))
    reader = await world.come("AAPL", "MSFT", since=since(2, AAPL=4, MSFT=3))
    assert (reader.story, world.calls) == ([4, 5, 6], 0)


async def test_who_wants_neither_gets_the_live_flow_alone(world: World) -> None:
    reader = await world.come("AAPL", "XOM", snapshot=False)
    await world.tell((3, "AAPL"))
    assert (reader.story, world.calls) == ([3], 0)


async def test_a_client_that_is_ahead_of_this_process_gets_no_repetition(world: World) -> None:
    world.recorded.append(document(5))  # what somebody has seen is recorded
    reader = await world.come("AAPL", "MSFT", since=since(5))
    assert (reader.story, world.calls) == ([], 0)
    await world.tell((3, "AAPL"), (4, "MSFT"), (5, "AAPL"), (6, "AAPL"), (7, "MSFT"))
    assert reader.story == [6, 7]


@pytest.mark.parametrize("terms", [Terms("latest", 0.1), Terms("batch", 0.1), Terms(timing=True)])
async def test_a_client_that_is_ahead_gets_no_repetition_on_any_terms(world: World, terms: Terms) -> None:
    reader = world.reader()
    world.recorded.append(document(5))
    await world.subscribe(reader, "AAPL", since=since(5), terms=terms)
    for seq in range(3, 8):
        await world.tell((seq, "AAPL"))
        world.alarms.advance(1)
    assert reader.story == [6, 7]


def test_who_was_owed_much_waits_for_the_answer_to_its_next_request() -> None:
    assert Owed([]).rest_s == 0
    assert Owed([update(1)] * MAX_RESUMED).rest_s == 0.5


async def test_a_place_that_nobody_can_have_seen_is_a_gap_and_the_newest(world: World) -> None:
    reader = await world.come("AAPL", "MSFT", since=since(1_000_000))
    assert reader.story == [(1_000_000, 1), {1}, (1_000_000, 2), {2}]
    await world.tell((3, "AAPL"))
    assert reader.story[-1] == 3


async def test_a_client_that_is_ahead_in_one_symbol_alone_gets_no_repetition(world: World) -> None:
    """Of two bridges one is behind, here; at the process where the client was, it was the other."""
    await world.tell((3, "MSFT"), bridge="b")
    on_its_way = world.send((4, "AAPL"))
    await world.tell((5, "MSFT"), bridge="b")
    reader = await world.come("AAPL", "MSFT", since=since(3, AAPL=4))
    await world.hub.take(on_its_way)
    await world.tell((6, "AAPL"))
    assert reader.story == [5, 6]


# From the stores


async def test_newest_values_that_memory_does_not_have_are_read(world: World) -> None:
    world.recorded.append(document(0, "OLD"))
    reader = await world.come("AAPL", "OLD", "NONE")
    assert reader.story == [{1}, {0}]
    assert world.asked_newest == [["OLD", "NONE"]]


async def test_while_no_bridge_is_heard_newest_values_are_read_though_memory_has_some(world: World) -> None:
    world.alarms.advance(5)
    late = world.send((3, "AAPL"))
    reader = await world.come("AAPL", "MSFT")
    assert reader.story == [{3}, {2}]
    assert world.asked_newest == [["AAPL", "MSFT"]]
    # The store was ahead of the live flow, which does not repeat it.
    await world.hub.take(late)
    await world.tell((4, "AAPL"))
    assert reader.story == [{3}, {2}, 4]


async def test_a_store_that_is_behind_memory_is_not_believed(world: World) -> None:
    world.alarms.advance(5)
    world.hub.recent.add(update(3))
    reader = await world.come("AAPL")
    assert reader.story == [{3}]


async def test_where_no_store_answers_memory_serves_what_it_can_and_the_client_is_told(world: World) -> None:
    world.stores_are_away = True
    reader = world.reader()
    assert not await world.subscribe(reader, "AAPL", "OLD")
    assert reader.story == [{1}]
    await world.tell((3, "AAPL"), (4, "OLD"))
    assert reader.story == [{1}, 3, 4]


async def test_what_was_missed_before_memory_begins_is_read_from_the_record(world: World) -> None:
    world.start_anew((3, "AAPL"), (4, "MSFT"))
    reader = await world.come("AAPL", "MSFT", "XOM", since=since(0))
    assert reader.story == [1, 2, 3, 4]
    assert world.asked_missed == [{"AAPL": 0, "MSFT": 0}]


async def test_only_symbols_that_have_moved_are_looked_for_in_the_record(world: World) -> None:
    world.start_anew((3, "AAPL"), (4, "IBM"))
    reader = await world.come("AAPL", "MSFT", "XOM", "IBM", since=since(2, AAPL=0, IBM=4))
    assert reader.story == [1, 3]
    assert world.asked_missed == [{"AAPL": 0}]
    quiet = await world.come("MSFT", since=since(2))
    assert (quiet.story, len(world.asked_missed)) == ([], 1)


async def test_what_comes_in_while_the_stores_are_read_leaves_no_hole_and_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start_anew((3, "AAPL"))
    gate = Gate(monkeypatch, holds_answer=True)
    coming = asyncio.create_task(world.come("AAPL", "MSFT", since=since(0)))
    await gate.until_held()
    # Recorded after the newest values were read, and told before the record is.
    await world.tell((4, "AAPL"), (5, "MSFT"))
    gate.go_on.set()
    await gate.until_held()
    await world.tell((6, "AAPL"))
    reader = await coming
    await world.tell((7, "MSFT"))
    assert reader.story == [1, 2, 3, 4, 5, 6, 7]


async def test_what_comes_in_after_the_record_was_read_leaves_no_hole_and_is_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start_anew((3, "AAPL"))
    gate = Gate(monkeypatch, holds_answer=True)
    gate.go_on.set()
    coming = asyncio.create_task(world.come("AAPL", "MSFT", since=since(0)))
    await gate.until_held()
    gate.go_on.clear()
    await gate.until_held()
    await world.tell((4, "AAPL"), (5, "MSFT"))
    gate.go_on.set()
    reader = await coming
    await world.tell((6, "MSFT"))
    assert reader.story == [1, 2, 3, 4, 5, 6]


async def test_what_the_record_has_and_the_live_flow_tells_later_is_told_once(world: World) -> None:
    world.start_anew((3, "AAPL"))
    on_its_way = world.send((4, "AAPL"), (5, "MSFT"))
    reader = await world.come("AAPL", "MSFT", since=since(0))
    assert reader.story == [1, 2, 3, 4, 5]
    await world.hub.take(on_its_way)
    await world.tell((6, "AAPL"))
    assert reader.story == [1, 2, 3, 4, 5, 6]
