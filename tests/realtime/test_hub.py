"""Who is told what by a hub: followers of a symbol, on their terms, each update once and in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from realtime.batches import Batch, Place, Update
from realtime.hub import Hub
from realtime.known import Known
from realtime.outbox import Snapshot
from realtime.protocol.messages import Gap
from realtime.protocol.requests import Since
from realtime.recall import Owed
from realtime.terms import PLAIN, Terms
from realtime.watching import Watching
from tests.realtime.peers import EPOCH, LATER_EPOCH, ManualAlarms, Reader, update, updates


class Desk:
    """A hub in the test's time, whose one bridge is the test."""

    def __init__(self) -> None:
        self.hub = Hub(memory=1_000)
        self.alarms = ManualAlarms()
        self.hub.alarms = self.alarms
        self._number = 0

    def reader(self, *symbols: str, terms: Terms = PLAIN) -> Reader:
        """A socket that follows these symbols."""
        made = Reader(self.alarms, lag=self.hub.lag, name=str(len(self.hub.connections)))
        self.hub.add(made.connection)
        self.subscribe(made, *symbols, terms=terms)
        return made

    def subscribe(
        self, reader: Reader, *symbols: str, terms: Terms = PLAIN, owed: Owed | None = None
    ) -> None:
        """Subscribe as the consumer does."""
        self.hub.subscribe(reader.connection, symbols, terms, owed)

    async def tell(self, *told: Update) -> None:
        """A batch that follows the one before."""
        self._number += 1
        await self.hub.take(Batch("bridge", self._number, list(told)))


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A hub that has heard its bridge once, and has missed nothing."""

    async def nothing(after: Place, *, most: int) -> list[object]:
        return []

    monkeypatch.setattr("realtime.healing.read_missed", nothing)
    made = Desk()
    await made.tell()
    return made


@pytest.fixture(autouse=True)
def _no_task_is_left(desk: Desk) -> Iterator[None]:
    yield
    assert desk.hub._rereading is None


@pytest.mark.parametrize("terms", [PLAIN, Terms(mode="batch", interval_s=60.0)], ids=["all", "batch"])
async def test_whoever_asks_for_the_newest_value_again_gets_what_waits_before_it(
    desk: Desk, terms: Terms
) -> None:
    reader = desk.reader("AAPL", terms=terms)
    await desk.tell(*(update(seq) for seq in range(1, 31)))
    waiting = 30 - len(reader.seqs)
    assert waiting
    hastened = desk.hub.subscribe(reader.connection, ["AAPL"], PLAIN, Owed([Snapshot(update(30))]))
    assert hastened == waiting
    assert [frame["seq"] for frame in reader.frames] == [*range(1, 31), 30]
    assert reader.connection.dropped == 0


async def test_whoever_resumes_gets_what_waits_once(desk: Desk) -> None:
    reader = desk.reader("AAPL")
    await desk.tell(*(update(seq) for seq in range(1, 31)))
    sent = len(reader.seqs)
    missed = Owed([update(seq) for seq in range(sent + 1, 31)], is_resumed=True)
    assert desk.hub.subscribe(reader.connection, ["AAPL"], PLAIN, missed) == 0
    assert reader.seqs == list(range(1, 31))


async def test_updates_go_to_those_who_follow_their_symbol_in_order(desk: Desk) -> None:
    apple, both = desk.reader("AAPL"), desk.reader("AAPL", "MSFT")
    await desk.tell(update(1), update(2, "MSFT"), update(3), update(4, "IBM"))
    assert (apple.seqs, both.seqs) == ([1, 3], [1, 2, 3])


async def test_who_has_unsubscribed_or_gone_is_told_nothing_more(desk: Desk) -> None:
    gone, both = desk.reader("AAPL"), desk.reader("AAPL", "MSFT")
    assert desk.hub.unsubscribe(both.connection, ["AAPL", "AAPL", "IBM"]) == ["AAPL"]
    desk.hub.remove(gone.connection)
    await desk.tell(update(1), update(2, "MSFT"))
    assert (gone.frames, both.seqs) == ([], [2])
    assert list(desk.hub.connections.values()) == [both.connection]
    assert desk.hub._audiences.keys() == {"MSFT"}
    desk.hub.remove(both.connection)
    desk.hub.remove(both.connection)
    assert (desk.hub.connections, desk.hub._audiences) == ({}, {})
    await desk.tell(update(3), update(4, "MSFT"))
    assert both.seqs == [2]


async def test_what_waits_of_a_symbol_is_not_sent_after_unsubscribing(desk: Desk) -> None:
    reader = desk.reader("AAPL", "MSFT")
    batch = desk.reader("AAPL", "MSFT", terms=Terms("batch", 1.0))
    await desk.tell(*updates(*range(1, 13)), update(13, "MSFT"))
    for one in (reader, batch):
        desk.hub.unsubscribe(one.connection, ["AAPL"])
    desk.alarms.advance(2)
    assert reader.seqs == [*range(1, 11), 13]
    assert batch.seqs == [13]


async def test_explanations_of_a_symbol_end_with_the_subscription_and_watches_with_the_socket(
    desk: Desk,
) -> None:
    reader = desk.reader("AAPL", "MSFT")
    desk.hub.watching.follow(reader.connection, ["AAPL", "MSFT"])
    desk.hub.watching.watch(reader.connection, "computation", "job")
    desk.hub.unsubscribe(reader.connection, ["AAPL"])
    assert desk.hub.watching._followers.keys() == {"MSFT"}
    assert desk.hub.watching.has_watches(reader.connection)
    desk.hub.remove(reader.connection)
    assert vars(desk.hub.watching) == vars(Watching())


async def test_what_was_told_is_not_told_again(desk: Desk) -> None:
    reader = desk.reader("AAPL")
    await desk.tell(*updates(1, 2))
    await desk.tell(*updates(2, 1, 3))
    assert reader.story == [1, 2, 3]


async def test_what_comes_behind_a_newer_one_is_a_gap_between_its_neighbours(desk: Desk) -> None:
    reader, latest = desk.reader("AAPL"), desk.reader("AAPL", terms=Terms("latest", 0.1))
    await desk.tell(update(1), update(2, "MSFT"), update(7))
    await desk.tell(update(3), update(5))
    desk.alarms.advance(1)
    assert reader.story == [1, 7, (1, 7), (3, 7)]
    assert latest.seqs == [7]
    # Whoever asks gets it in its place.
    assert [one.seq for one in desk.hub.recent.after(Since(EPOCH, 1), ["AAPL"])] == [3, 5, 7]


async def test_an_earlier_life_of_the_stream_is_no_news_after_a_later_one(desk: Desk) -> None:
    reader = desk.reader("AAPL")
    await desk.tell(update(9))
    await desk.tell(update(1, epoch=LATER_EPOCH))
    await desk.tell(update(10), update(2, epoch=LATER_EPOCH))
    assert reader.story == [9, 1, 2]


async def test_what_two_bridges_tell_of_a_new_life_is_told_or_is_a_gap(desk: Desk) -> None:
    reader = desk.reader("AAPL")
    await desk.tell(*updates(5, epoch=LATER_EPOCH))
    await desk.tell(*updates(3, 6, epoch=LATER_EPOCH))
    assert reader.story == [5, (0, 5), 6]


async def test_how_long_updates_took_is_measured_once_for_each_socket(desk: Desk) -> None:
    desk.reader("AAPL")
    desk.reader("AAPL")
    desk.reader("AAPL", terms=Terms(timing=True))
    await desk.tell(update(1, published_us=1), update(2, "MSFT", published_us=1), update(3))
    assert desk.hub.lag.count == 3


# Subscribing


async def test_what_is_owed_comes_first_and_is_not_repeated_by_the_live_flow(desk: Desk) -> None:
    reader = desk.reader()
    owed = Owed([Gap("AAPL", 1, 5, EPOCH), Snapshot(update(5))], {"AAPL": Known(EPOCH, 5)})
    desk.subscribe(reader, "AAPL", owed=owed)
    await desk.tell(*updates(4, 5, 6))
    assert reader.story == [(1, 5), {5}, 6]


@pytest.mark.parametrize("before", [PLAIN, Terms("batch", 5.0), Terms("latest", 5.0), Terms(timing=True)])
@pytest.mark.parametrize("after", [PLAIN, Terms("batch", 0.1), Terms("latest", 0.1), Terms(timing=True)])
async def test_a_second_subscribe_with_newest_values_begins_anew_on_the_new_terms(
    desk: Desk, before: Terms, after: Terms
) -> None:
    reader = desk.reader("AAPL", terms=before)
    await desk.tell(*updates(1))
    desk.alarms.advance(0.01)
    await desk.tell(*updates(2, 3))
    desk.subscribe(reader, "AAPL", terms=after, owed=Owed([Snapshot(update(3))]))
    told = len(reader.story)
    assert reader.story[-1] == {3}
    for one in updates(4, 5, 6):
        await desk.tell(one)
        desk.alarms.advance(1)
    desk.alarms.advance(20)
    assert reader.story[told:] == [4, 5, 6]
    assert desk.hub._audiences["AAPL"].size == 1


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("before", [Terms("batch", 5.0), Terms("latest", 5.0), Terms("latest", 5.0, 0.1)])
@pytest.mark.parametrize("after", [PLAIN, Terms("batch", 0.1), Terms("latest", 0.1), Terms(timing=True)])
async def test_a_second_subscribe_without_newest_values_keeps_the_order_and_repeats_nothing(
    desk: Desk, before: Terms, after: Terms, others: int
) -> None:
    for _ in range(others):
        desk.reader("AAPL", terms=Terms("latest", 1.0))
    reader = desk.reader("AAPL", terms=before)
    await desk.tell(*updates(1))
    desk.alarms.advance(0.01)
    await desk.tell(*updates(2, 3))
    desk.subscribe(reader, "AAPL", terms=after)
    for one in updates(4, 5, 6):
        await desk.tell(one)
        desk.alarms.advance(0.5)
    desk.alarms.advance(20)
    for one in updates(7, 8):
        await desk.tell(one)
        desk.alarms.advance(20)
    assert reader.seqs == sorted(set(reader.seqs))
    assert set(reader.seqs) >= {1, 4, 5, 6, 7, 8}


async def test_on_the_same_terms_a_second_subscribe_without_newest_values_loses_nothing(desk: Desk) -> None:
    for terms in (PLAIN, Terms("batch", 5.0), Terms(timing=True)):
        reader = desk.reader("AAPL", terms=terms)
        seqs = range(desk.hub.recent.last_seq + 1, desk.hub.recent.last_seq + 13)
        await desk.tell(*updates(*seqs))
        desk.subscribe(reader, "AAPL", terms=terms)
        desk.alarms.advance(20)
        assert reader.seqs == list(seqs)


# Whether the live flow is whole


async def test_the_flow_is_whole_while_a_bridge_beats(desk: Desk) -> None:
    assert desk.hub.is_current()
    desk.alarms.advance(2.5)
    assert desk.hub.is_current()
    await desk.hub.take(Batch("bridge", 1, []))
    desk.alarms.advance(2.5)
    assert desk.hub.is_current()
    desk.alarms.advance(1)
    assert not desk.hub.is_current()


async def test_before_a_bridge_was_heard_the_flow_is_not_whole() -> None:
    assert not Hub(memory=10).is_current()
