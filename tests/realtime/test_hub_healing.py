"""What a hub does about batches that were lost: it reads them from the record, or says that it could not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.batches import Batch
from realtime.known import Known
from realtime.protocol.requests import Since
from realtime.terms import Terms
from tests.realtime.peers import DEADLINE_S, EPOCH, LATER_EPOCH, document, update, updates
from tests.realtime.world import World


def covers(world: World, seq: int) -> bool:
    """True if memory claims to have everything after `seq` of a symbol that nobody follows."""
    return world.hub.recent.covers("MSFT", Since(EPOCH, seq))


MEMORY = 50


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Everything works, and bridge a has been heard."""
    made = World(monkeypatch, memory=MEMORY)
    await made.tell((1, "AAPL"))
    made.asked_after.clear()
    yield made
    await made.hub.stop()


async def test_a_lost_batch_is_read_from_the_record_and_told_in_order_before_the_next(world: World) -> None:
    reader, latest = world.reader("AAPL", "MSFT"), world.reader("AAPL", terms=Terms("latest", 1.0))
    await world.tell((2, "AAPL"))
    world.lose((3, "AAPL"), (4, "MSFT"))
    world.lose((5, "AAPL"))
    await world.tell((6, "MSFT"), (7, "AAPL"))
    assert reader.story == [2, 3, 4, 5, 6, 7]
    assert world.asked_after == [(EPOCH, 2)]
    await world.tell((8, "AAPL"))
    assert reader.story[-1] == 8
    assert len(world.asked_after) == 1
    world.alarms.advance(1)
    assert latest.seqs == [8]
    assert covers(world, 2)


async def test_a_beat_tells_of_a_lost_batch_that_nothing_follows(world: World) -> None:
    reader = world.reader("AAPL")
    world.lose((2, "AAPL"))
    await world.tell()
    assert reader.story == [2]
    await world.tell()
    assert len(world.asked_after) == 1


async def test_what_the_record_has_and_was_heard_is_not_told_again(world: World) -> None:
    reader = world.reader("AAPL")
    await world.tell((2, "AAPL"), bridge="b")
    await world.tell((3, "AAPL"))
    world.lose((4, "AAPL"))
    await world.tell((5, "AAPL"), bridge="b")
    await world.tell()
    assert reader.story == [2, 3, 5, (3, 5)]
    assert world.asked_after[-1] == (EPOCH, 3)


async def test_behind_an_unknown_bridge_the_record_is_asked_for_what_its_forerunner_may_have_lost(
    world: World,
) -> None:
    reader = world.reader("AAPL")
    await world.tell((2, "AAPL"))
    world.lose((3, "AAPL"))
    await world.tell((4, "AAPL"), bridge="its successor")
    assert reader.story == [2, 3, 4]


async def test_the_live_update_is_the_one_that_is_told_where_the_record_has_it_too(world: World) -> None:
    reader = world.reader("AAPL", terms=Terms(timing=True))
    world.lose((2, "AAPL"))
    world.recorded.append(document(3))
    live = update(3, published_us=1_000_000)
    await world.hub.take(Batch("a", 3, [live]))
    assert reader.seqs == [2, 3]
    # Its times are known, those of what was read are not.
    assert ["published_at" in frame for frame in reader.frames] == [False, True]


async def test_where_the_record_is_away_a_gap_and_the_next_are_told(world: World) -> None:
    reader = world.reader("AAPL", "MSFT")
    await world.tell((2, "AAPL"), (3, "MSFT"))
    world.record_is_away = True
    world.lose((4, "AAPL"), (5, "MSFT"))
    await world.tell((6, "AAPL"), (7, "AAPL"))
    assert reader.story == [2, 3, (2, 6), 6, 7]
    await world.until_reread()
    # Of the other symbol the newest value is read from the stores.
    assert world.asked_newest == [["MSFT"]]
    assert reader.story == [2, 3, (2, 6), 6, 7, (3, 5), 5]


async def test_where_the_record_is_away_a_beat_leads_to_the_newest_values(world: World) -> None:
    reader, other = world.reader("AAPL"), world.reader("XOM")
    world.record_is_away = True
    world.lose((2, "AAPL"), (3, "AAPL"), (4, "MSFT"))
    await world.tell()
    assert reader.story == []
    await world.until_reread()
    assert reader.story == [(1, 3), 3]
    assert other.frames == []


async def test_more_than_the_memory_holds_is_not_told_one_by_one(world: World) -> None:
    reader = world.reader("AAPL")
    world.lose(*[(seq, "AAPL") for seq in range(2, MEMORY + 5)])
    await world.tell((100, "AAPL"))
    assert reader.story == [(1, 100), 100]


async def test_who_knows_the_newest_value_already_is_told_nothing_of_it(world: World) -> None:
    reader = world.reader("AAPL", "MSFT")
    world.record_is_away = True
    world.lose((2, "XOM"))
    await world.tell()
    await world.until_reread()
    assert reader.story == []


async def test_newest_values_wait_until_a_store_answers(world: World) -> None:
    reader = world.reader("AAPL")
    world.record_is_away = world.stores_are_away = True
    world.lose((2, "AAPL"))
    await world.tell()
    for _ in range(2):
        async with asyncio.timeout(DEADLINE_S):
            await world.was_asked_newest.wait()
        world.was_asked_newest.clear()
    assert reader.story == []
    world.stores_are_away = False
    await world.until_reread()
    assert reader.story == [(1, 2), 2]


async def test_an_update_that_comes_before_the_newest_values_are_read_is_told_behind_a_gap(
    world: World,
) -> None:
    reader = world.reader("AAPL", "MSFT")
    world.record_is_away = world.stores_are_away = True
    world.lose((2, "AAPL"), (3, "MSFT"))
    await world.tell((4, "XOM"))
    await world.tell((5, "AAPL"), (6, "AAPL"))
    assert reader.story == [(1, 5), 5, 6]
    world.stores_are_away = False
    await world.until_reread()
    assert reader.story == [(1, 5), 5, 6, (0, 3), 3]


async def test_an_update_that_comes_again_does_not_end_what_is_missing(world: World) -> None:
    reader = world.reader("AAPL")
    world.record_is_away = world.stores_are_away = True
    again = world.lose((2, "AAPL"))
    world.lose((3, "AAPL"), (4, "AAPL"))
    # The bridge tells it once more: its acknowledgement was lost.
    await world.hub.take(Batch("a", 4, again.updates, (EPOCH, 4)))
    assert reader.story == [(1, 2), 2]
    assert not covers(world, 3)
    await world.hub.take(Batch("a", 5, updates(5), (EPOCH, 4)))
    assert reader.story == [(1, 2), 2, (2, 5), 5]


async def test_what_was_lost_before_something_that_another_bridge_has_told_is_a_gap(world: World) -> None:
    await world.tell(bridge="b")
    reader = world.reader("AAPL", "MSFT")
    world.record_is_away = True
    world.lose((2, "AAPL"))
    await world.tell((3, "AAPL"), (4, "AAPL"), bridge="b")
    await world.tell()
    await world.until_reread()
    assert reader.story == [3, 4, (1, 3)]
    await world.tell((5, "AAPL"))
    assert reader.story == [3, 4, (1, 3), 5]


async def test_newest_values_of_the_stores_come_behind_a_gap(world: World) -> None:
    await world.tell(bridge="b")
    reader = world.reader("AAPL")
    world.record_is_away = world.stores_are_away = True
    on_its_way = world.send((5, "AAPL"))
    world.lose((6, "AAPL"), (7, "AAPL"), bridge="b")
    # By a bridge of an older version, which does not say how far those before it went.
    await world.hub.take(Batch("c", 0, []))
    await world.hub.take(on_its_way)
    assert reader.story == [(1, 5), 5]
    world.stores_are_away = False
    await world.until_reread()
    assert reader.story == [(1, 5), 5, (5, 7), 7]


@pytest.mark.parametrize(("record_is_away", "before"), [(False, 1), (True, 2)])
async def test_something_late_that_is_lost_is_looked_for_where_it_belongs(
    world: World, record_is_away: bool, before: int
) -> None:
    reader = world.reader("AAPL")
    await world.tell((10, "AAPL"))
    world.record_is_away = record_is_away
    world.lose((3, "AAPL"))
    await world.tell()
    assert reader.story == [10, (before, 10)]
    await world.tell((11, "AAPL"))
    assert reader.story == [10, (before, 10), 11]


async def test_a_new_life_does_not_end_what_was_lost_before_it(world: World) -> None:
    reader = world.reader("AAPL")
    world.record_is_away = world.stores_are_away = True
    world.lose((3, "AAPL"))
    await world.tell()
    await world.tell((1, "MSFT"), (2, "AAPL"), (3, "AAPL"), epoch=LATER_EPOCH)
    assert reader.story == [(0, 2), 2, 3]


async def test_who_was_away_is_told_of_what_was_lost_before_the_place_he_comes_with(world: World) -> None:
    await world.tell(bridge="b")
    await world.tell((4, "AAPL"), (5, "AAPL"), bridge="b")
    world.record_is_away = True
    world.lose((3, "AAPL"))
    await world.tell()
    back = await world.come("AAPL", since=Since(EPOCH, 5))
    assert back.story == [(1, 4)]
    world.record_is_away = False
    await world.tell((6, "AAPL"))
    assert back.story == [(1, 4), 6]
    assert (await world.come("AAPL", since=Since(EPOCH, 6))).story == []


async def test_what_was_lost_of_a_new_life_is_a_gap_before_what_is_heard_of_it(world: World) -> None:
    reader = world.reader("AAPL", "MSFT")
    world.record_is_away = True
    world.send((1, "AAPL"), (2, "MSFT"), epoch=LATER_EPOCH)
    await world.tell((3, "AAPL"), (4, "AAPL"), epoch=LATER_EPOCH)
    await world.tell((5, "MSFT"), epoch=LATER_EPOCH)
    assert reader.story == [(0, 3), 3, 4, (0, 5), 5]
    await world.until_reread()
    assert reader.story == [(0, 3), 3, 4, (0, 5), 5]


async def test_many_symbols_are_read_in_slices(world: World) -> None:
    symbols = [f"S{number}" for number in range(250)]
    for start in (0, 100, 200):
        world.reader(*symbols[start : start + 100])
    world.record_is_away = True
    world.lose((2, "S0"))
    await world.tell()
    await world.until_reread()
    assert sorted(map(len, world.asked_newest)) == [50, 100, 100]
    assert sorted(symbol for asked in world.asked_newest for symbol in asked) == sorted(symbols)


async def test_a_second_loss_waits_for_the_first_to_be_told(world: World) -> None:
    reader = world.reader("AAPL", "MSFT")
    world.record_is_away = True
    world.lose((2, "AAPL"))
    await world.tell()
    world.lose((3, "MSFT"))
    await world.tell()
    await world.until_reread()
    assert len(world.asked_newest) == 2
    assert sorted(reader.seqs) == [2, 3]


async def test_the_stop_ends_whatever_is_being_read(world: World) -> None:
    before = asyncio.all_tasks()
    world.reader("AAPL")
    world.record_is_away = world.stores_are_away = True
    for seq in (2, 3):
        world.lose((seq, "AAPL"))
        await world.tell()
    await asyncio.sleep(0)
    await world.hub.stop()
    assert asyncio.all_tasks() - before == set()
    assert world.hub._rereading is None


# What memory may claim after a loss


async def test_memory_covers_nothing_of_what_was_lost(world: World) -> None:
    await world.tell((2, "AAPL"))
    world.record_is_away = True
    world.lose((3, "AAPL"), (4, "MSFT"))
    await world.tell((5, "AAPL"))
    assert not any(covers(world, seq) for seq in (1, 2, 3))
    assert covers(world, 5)


async def test_memory_covers_nothing_of_what_was_lost_before_a_beat(world: World) -> None:
    world.reader("AAPL")
    await world.tell((2, "AAPL"))
    world.record_is_away = True
    world.lose((3, "AAPL"), (4, "MSFT"))
    await world.tell()
    assert not any(covers(world, seq) for seq in (1, 2, 3))
    await world.until_reread()
    assert not any(covers(world, seq) for seq in (1, 2, 3))


async def test_after_a_loss_a_new_subscriber_gets_the_newest_value_of_the_stores(world: World) -> None:
    await world.tell((2, "MSFT"))
    world.record_is_away = True
    world.lose((3, "MSFT"))
    await world.tell((4, "AAPL"))
    reader = await world.come("MSFT")
    assert reader.story == [{3}]


async def test_an_update_that_was_lost_and_is_told_by_another_bridge_is_a_gap(world: World) -> None:
    await world.tell(bridge="b")
    reader = world.reader("AAPL")
    world.record_is_away = True
    lost = world.lose((2, "AAPL"))
    await world.tell((3, "AAPL"))
    await world.hub.take(Batch("b", 1, lost.updates))
    assert reader.story == [(1, 3), 3, (1, 3)]


async def test_subscribers_of_nothing_cost_nothing_when_something_is_lost(world: World) -> None:
    world.record_is_away = True
    world.lose((2, "AAPL"))
    await world.tell()
    await world.until_reread()
    assert world.asked_newest == []


async def test_those_who_subscribed_before_the_memory_was_filled_are_told_that_something_may_be_missing(
    world: World,
) -> None:
    late, batch = world.reader("AAPL", "XOM"), world.reader("AAPL", terms=Terms("batch", 0.1))
    knows = world.reader("AAPL")
    knows.connection.knows("AAPL", Known(EPOCH, 3))
    for one in updates(2, 3):
        world.hub.recent.add(one)
    world.hub._tell_early_subscribers()
    world.alarms.advance(0.1)
    assert late.story == batch.story == [(0, 3), 3]
    assert knows.story == []
