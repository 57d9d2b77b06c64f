"""What a new subscriber cannot get one by one is a gap and the newest value, and nothing is left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from realtime import recall as recall_module
from realtime.batches import Batch
from realtime.protocol.limits import MAX_RESUMED
from realtime.terms import Terms
from tests.realtime.peers import EPOCH, LATER_EPOCH, document, update
from tests.realtime.world import World, open_world, since


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Everything works."""
    made = await open_world(monkeypatch)
    yield made
    await made.hub.stop()


async def test_too_much_in_memory_is_a_gap_and_the_newest(world: World) -> None:
    await world.tell(*[(seq, "AAPL") for seq in range(3, 3 + MAX_RESUMED)])
    last = 2 + MAX_RESUMED
    exactly = await world.come("AAPL", "MSFT", since=since(2))
    assert exactly.seqs == list(range(3, last + 1))
    more = await world.come("AAPL", "MSFT", since=since(1))
    assert more.story == [(1, last), {last}, (1, 2), {2}]
    await world.tell((last + 1, "AAPL"))
    assert more.story[4:] == [last + 1]


async def test_too_much_in_the_record_is_a_gap_and_the_newest(world: World) -> None:
    last = 2 + MAX_RESUMED
    world.recorded += [document(seq) for seq in range(3, last)]
    world.start_anew((last, "AAPL"))
    exactly = await world.come("AAPL", since=since(2))
    assert exactly.seqs == list(range(3, last + 1))
    more = await world.come("AAPL", since=since(0))
    assert more.story == [(0, last), {last}]


async def test_too_much_in_record_and_memory_together_is_a_gap_for_every_symbol_that_has_moved(
    world: World,
) -> None:
    last = 2 + MAX_RESUMED
    world.recorded += [document(seq) for seq in range(3, last)]
    world.start_anew((last, "AAPL"))
    reader = world.reader()
    read = await world.hub.recall.read(["AAPL", "MSFT"], since=since(1), snapshot=True)
    await world.tell((last + 1, "AAPL"))
    owed = world.hub.recall.owed(["AAPL", "MSFT"], read, since=since(1), snapshot=True)
    world.hub.subscribe(reader.connection, ["AAPL", "MSFT"], Terms(), owed)
    assert reader.story == [(1, last + 1), {last + 1}, (1, 2), {2}]


async def test_what_is_older_than_the_record_is_a_gap_and_the_newest(world: World) -> None:
    world.start_anew((9, "AAPL"))
    world.record_begins_at = 5
    reader = await world.come("AAPL", "MSFT", "XOM", since=since(1))
    assert reader.story == [(1, 9), {9}, (1, 2), {2}]


async def test_a_place_far_behind_is_not_looked_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recall_module, "_MOST_SPAN", 5)
    world.start_anew((9, "AAPL"))
    reader = await world.come("AAPL", since=since(3))
    assert (reader.story, world.asked_missed) == ([(3, 9), {9}], [])
    near = await world.come("AAPL", since=since(4))
    assert (near.story, world.asked_missed) == ([9], [{"AAPL": 4}])


async def test_another_life_of_the_stream_is_a_gap_and_the_newest(world: World) -> None:
    await world.tell((1, "AAPL"), epoch=LATER_EPOCH)
    for epoch, seq in ((EPOCH, 900), (EPOCH, 0), ("18f39", 1)):
        reader = await world.come("AAPL", since=since(seq, epoch))
        assert reader.frames[0]["epoch"] == LATER_EPOCH
        assert reader.story == [(seq, 1), {1}]
    await world.tell((2, "AAPL"), epoch=LATER_EPOCH)
    assert reader.story[-1] == 2


@pytest.mark.parametrize("epoch", ["fffffffffff", "some other gateway's"])
async def test_a_place_in_a_stream_that_nobody_here_knows_is_a_gap_and_the_newest(
    world: World, epoch: str
) -> None:
    reader = await world.come("AAPL", since=since(7, epoch))
    await world.tell((3, "AAPL"))
    assert reader.story == [(7, 1), {1}, 3]


async def test_a_life_that_this_process_has_not_heard_of_yet_is_not_mixed_with_the_one_it_knows(
    world: World,
) -> None:
    on_its_way = world.send((1, "AAPL"), (2, "AAPL"), (3, "AAPL"), epoch=LATER_EPOCH)
    reader = await world.come("AAPL", "MSFT", since=since(2, LATER_EPOCH))
    assert reader.story == [3]
    await world.tell((3, "MSFT"))
    await world.hub.take(on_its_way)
    await world.tell((4, "AAPL"), epoch=LATER_EPOCH)
    assert reader.story == [3, 4]


async def test_where_the_record_is_away_a_gap_and_the_newest_are_told(world: World) -> None:
    world.start_anew((3, "AAPL"))
    world.record_is_away = True
    reader = await world.come("AAPL", "MSFT", since=since(1))
    assert reader.story == [(1, 3), {3}, (1, 2), {2}]


async def test_where_the_record_is_away_what_was_seen_elsewhere_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch)
    world.record_is_away = True
    on_its_way = world.send((1, "AAPL"))
    reader = await world.come("AAPL", since=since(1))
    await world.hub.take(on_its_way)
    await world.tell((2, "AAPL"))
    assert reader.story == [2]
    await world.hub.stop()


async def test_where_nothing_answers_memory_tells_what_it_knows_and_the_client_is_told(world: World) -> None:
    world.start_anew((3, "AAPL"))
    world.record_is_away = world.stores_are_away = True
    reader = world.reader()
    assert not await world.subscribe(reader, "AAPL", "MSFT", since=since(1))
    assert reader.story == [(1, 3), {3}]


async def test_too_many_who_ask_the_record_at_once_are_told_a_gap(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall_module, "_MOST_WAITING", 1)
    world.start_anew((3, "AAPL"))
    readers = await asyncio.gather(*[world.come("AAPL", since=since(0)) for _ in range(5)])
    stories = [reader.story for reader in readers]
    assert stories.count([1, 3]) == 1
    assert stories.count([(0, 3), {3}]) == 4
    assert world.hub.recall._waiting == 0


async def test_where_nothing_answers_what_was_missed_is_a_gap_before_the_next(world: World) -> None:
    world.record_is_away = world.stores_are_away = True
    reader = world.reader()
    world.start_anew((8, "XOM"))
    assert not await world.subscribe(reader, "AAPL", since=since(5))
    world.stores_are_away = False
    await world.tell((9, "AAPL"), (10, "AAPL"))
    assert reader.story == [(5, 9), 9, 10]


async def test_where_nothing_answers_an_earlier_life_is_not_told_to_who_knows_a_later_one(
    world: World,
) -> None:
    on_its_way = world.send((1, "AAPL"), (2, "AAPL"), epoch=LATER_EPOCH)
    world.record_is_away = world.stores_are_away = True
    reader = world.reader()
    assert not await world.subscribe(reader, "AAPL", since=since(2, LATER_EPOCH))
    await world.hub.take(on_its_way)
    await world.tell((3, "AAPL"), epoch=LATER_EPOCH)
    assert reader.seqs == [3]


async def test_a_newest_value_that_memory_has_no_update_of_is_not_repeated(world: World) -> None:
    world.start_anew((101, "MSFT"))
    old = world.send((50, "AAPL"))
    reader = await world.come("AAPL")
    await world.hub.take(old)
    await world.tell((102, "AAPL"))
    assert reader.story == [{50}, 102]


# What the stream has delivered late


async def test_who_was_away_when_something_came_late_is_told_of_it(world: World) -> None:
    await world.tell((4, "AAPL"), (6, "MSFT"))
    await world.tell((3, "AAPL"))
    away = await world.come("AAPL", "MSFT", since=since(6, AAPL=4))
    assert away.story == [(1, 4)]
    await world.tell((7, "AAPL"))
    assert (await world.come("AAPL", since=since(7))).story == []
    again = await world.come("AAPL", since=since(1))
    assert again.story == [3, 4, 7]


async def test_who_was_away_is_told_of_it_where_there_is_too_much_to_resume(world: World) -> None:
    await world.tell((4, "AAPL"))
    await world.tell((3, "AAPL"))
    last = 5 + MAX_RESUMED
    await world.tell(*[(seq, "AAPL") for seq in range(5, last + 1)])
    reader = await world.come("AAPL", since=since(4))
    assert reader.story == [(1, 4), (4, last), {last}]


@pytest.mark.parametrize("is_lost", [True, False])
async def test_what_the_record_gets_after_what_was_told_from_it_is_a_gap(world: World, is_lost: bool) -> None:
    """The process has not heard of 6 yet, the record has; 4 comes to both behind it."""
    await world.tell((3, "MSFT"))
    world.start_anew((3, "MSFT"))
    on_its_way = world.send((6, "AAPL"))
    reader = await world.come("AAPL", since=since(1))
    assert reader.story == [6]
    if not is_lost:
        await world.hub.take(on_its_way)
    await world.tell((4, "AAPL"))
    await world.tell((7, "AAPL"))
    # What a process has not heard of itself it does not name as the one before.
    assert reader.story == [6, (1 if is_lost else 0, 6), 7]


async def test_who_comes_from_a_process_that_is_ahead_is_told_of_what_comes_late_to_all(world: World) -> None:
    on_its_way = world.send((6, "AAPL"))
    reader = await world.come("AAPL", since=since(6))
    await world.hub.take(on_its_way)
    await world.tell((4, "AAPL"))
    assert reader.story == [(1, 6)]


# An older prediction that was published later


async def test_a_backfilled_update_is_remembered_but_not_looked_for_beyond_memory(world: World) -> None:
    await world.tell((7, "AAPL"))
    await world.hub.take(Batch("a", 9, [update(9, made_us=0)]))
    assert (await world.come("AAPL", since=since(7))).story == [9]
    world.recorded.append(msgspec.structs.replace(document(9), timestamp=document(0).timestamp))
    world.start_anew((10, "MSFT"))
    # The newest value was seen: that nothing came behind it is taken for granted.
    assert (await world.come("AAPL", since=since(7))).story == []


async def test_a_backfilled_update_behind_the_newest_value_is_told_or_lies_in_a_gap(world: World) -> None:
    await world.tell(*[(seq, "AAPL") for seq in range(3, 3 + MAX_RESUMED)])
    last = 3 + MAX_RESUMED
    await world.hub.take(Batch("a", 3, [update(last, made_us=0)]))
    reader = await world.come("AAPL", since=since(1))
    assert last in reader.seqs or any(before < last < after for _, before, after in reader.gaps)


async def test_what_memory_forgets_while_others_are_read_is_not_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, memory=2)
    await world.tell((1, "AAPL"), (2, "AAPL"), (3, "MSFT"))
    reader = world.reader()
    read = await world.hub.recall.read(["AAPL", "OLD"], since=since(1), snapshot=True)
    await world.tell((4, "MSFT"), (5, "MSFT"))
    owed = world.hub.recall.owed(["AAPL", "OLD"], read, since=since(1), snapshot=True)
    world.hub.subscribe(reader.connection, ["AAPL", "OLD"], Terms(), owed)
    assert reader.story in ([2], [(1, 2), {2}])
