"""One socket that has just subscribed: what it is owed goes first, and the live flow repeats none of it."""

from __future__ import annotations

import pytest

from realtime.audience import Audience
from realtime.known import Known
from realtime.lag import Lag
from realtime.outbox import Snapshot
from realtime.protocol import limits
from realtime.protocol.messages import Gap
from realtime.terms import PLAIN, Terms
from tests.realtime.peers import EPOCH, LATER_EPOCH, ManualAlarms, Reader, update, updates

TICK_S = 0.01


@pytest.fixture
def alarms() -> ManualAlarms:
    """The time."""
    return ManualAlarms()


@pytest.fixture
def reader(alarms: ManualAlarms) -> Reader:
    """A socket that follows two symbols."""
    made = Reader(alarms)
    made.follow("AAPL", "MSFT")
    return made


def test_what_is_owed_is_not_paced_and_costs_no_pace(reader: Reader) -> None:
    reader.connection.owe(updates(*range(1, 201)), PLAIN)
    assert reader.seqs == list(range(1, 201))
    assert reader.deliver(*updates(*range(201, 212))) == [True] * 10 + [False]
    assert reader.connection.sent == 210


def test_what_is_owed_goes_before_what_is_live_and_waits(reader: Reader, alarms: ManualAlarms) -> None:
    reader.deliver(*updates(*range(1, 13)))
    reader.connection.owe([Snapshot(update(90, "MSFT"))], PLAIN)
    assert reader.story[-2:] == [10, {90}]
    alarms.advance(0.3)
    assert reader.story[-2:] == [11, 12]


def test_what_is_owed_is_not_dropped_for_live_updates(reader: Reader, alarms: ManualAlarms) -> None:
    reader.wire.block()
    reader.connection.owe(updates(*range(1, limits.MAX_RESUMED + 1), symbol="MSFT"), PLAIN)
    reader.deliver(*updates(*range(2_000, 3_005)))
    reader.wire.unblock()
    assert reader.seqs[: limits.MAX_RESUMED] == list(range(1, limits.MAX_RESUMED + 1))
    assert reader.warnings == [5]
    alarms.advance(200)
    assert reader.seqs[limits.MAX_RESUMED :] == list(range(2_005, 3_005))


def test_a_snapshot_says_that_it_is_one_and_is_no_news(alarms: ManualAlarms) -> None:
    lag = Lag()
    reader = Reader(alarms, lag=lag)
    reader.follow("AAPL")
    reader.connection.owe(
        [Gap("AAPL", 1, 7, EPOCH), Snapshot(update(7, published_us=1)), update(8, published_us=1)], PLAIN
    )
    assert reader.story == [(1, 7), {7}, 8]
    assert lag.count == 0
    reader.deliver(update(9, published_us=1))
    assert lag.count == 0  # the hub counts what it has written at once


def test_in_mode_latest_the_newest_of_what_was_missed_is_owed(reader: Reader) -> None:
    terms = Terms("latest", 1.0)
    reader.follow("AAPL", "MSFT", terms=terms)
    reader.connection.owe([update(1), update(2, "MSFT"), update(3), Snapshot(update(4, "MSFT"))], terms)
    assert reader.story == [3, 2, {4}]


def test_in_mode_batch_newest_values_come_at_once_and_what_was_missed_comes_packed(
    reader: Reader, alarms: ManualAlarms
) -> None:
    terms = Terms("batch", 1.0)
    reader.follow("AAPL", "MSFT", terms=terms)
    reader.connection.owe([Snapshot(update(9, "MSFT")), *updates(*range(1, 51))], terms)
    assert reader.story[0] == {9}
    alarms.advance(TICK_S)
    assert reader.story == [{9}, *range(1, 51)]
    assert [frame["type"] for frame in reader.frames] == ["prediction_update", "batch"]


def test_in_mode_batch_a_gap_comes_before_the_newest_value_that_ends_it(
    reader: Reader, alarms: ManualAlarms
) -> None:
    """Behind it, it would say that an update came late."""
    terms = Terms("batch", 1.0)
    reader.follow("AAPL", terms=terms)
    reader.connection.owe([Gap("AAPL", 1, 9, EPOCH), Snapshot(update(9))], terms)
    reader.offer(update(10))
    alarms.advance(TICK_S)
    assert reader.story == [(1, 9), {9}, 10]


def test_filters_hold_for_what_is_owed_and_gaps_pass_them(reader: Reader) -> None:
    terms = Terms(min_confidence=0.5, min_move_pct=2.0)
    reader.follow("AAPL", terms=terms)
    reader.connection.owe(
        [
            update(1, confidence=0.4, move_pct=3),
            update(2, confidence=0.5, move_pct=2.0),
            Gap("AAPL", 2, 9, EPOCH),
            Snapshot(update(9, confidence=0.9, move_pct=1.9)),
            Snapshot(update(10, confidence=0.5, move_pct=2.0)),
        ],
        terms,
    )
    assert reader.story == [2, (2, 9), {10}]


# What the peer has already


def test_live_updates_up_to_what_the_peer_knows_are_not_for_it(reader: Reader) -> None:
    reader.connection.knows("AAPL", Known(EPOCH, 5))
    assert reader.deliver(*updates(3, 4, 5)) == [False] * 3
    assert reader.deliver(update(4, "MSFT")) == [True]
    reader.deliver(update(6))
    assert reader.seqs == [4, 6]
    # From the first that is news everything is.
    assert reader.deliver(*updates(7, 8)) == [True, True]


def test_a_new_life_of_the_stream_is_news_whatever_its_numbers(reader: Reader) -> None:
    reader.connection.knows("AAPL", Known(EPOCH, 900))
    reader.deliver(update(1, epoch=LATER_EPOCH))
    assert reader.seqs == [1]


def test_an_earlier_life_is_no_news_for_a_peer_that_knows_a_later_one(reader: Reader) -> None:
    reader.connection.knows("AAPL", Known(LATER_EPOCH, 2))
    reader.deliver(*updates(900, 901))
    reader.deliver(*updates(1, 2, 3, epoch=LATER_EPOCH))
    assert reader.seqs == [3]


def test_a_gap_before_what_the_peer_knows_is_none_for_it(reader: Reader, alarms: ManualAlarms) -> None:
    reader.connection.knows("AAPL", Known(EPOCH, 5))
    for before, after in ((1, 4), (3, 5), (4, 6)):
        reader.connection.gap(Gap("AAPL", before, after, EPOCH), alarms.now())
    assert reader.gaps == [("AAPL", 4, 6)]


@pytest.mark.parametrize("terms", [Terms(timing=True), Terms("batch", 0.1), Terms("latest", 0.1, 0.01)])
def test_on_every_terms_what_the_peer_knows_is_not_repeated(
    reader: Reader, alarms: ManualAlarms, terms: Terms
) -> None:
    reader.follow("AAPL", terms=terms)
    reader.connection.knows("AAPL", Known(EPOCH, 5))
    for one in updates(3, 4, 5, 6, 7):
        reader.offer(one)
        alarms.advance(0.2)
    assert reader.seqs == [6, 7]


def test_in_mode_latest_what_the_peer_knows_is_not_repeated_and_nothing_goes_back(
    reader: Reader, alarms: ManualAlarms
) -> None:
    terms = Terms("latest", 0.1)
    audience = Audience()
    audience.add(reader.connection, terms)
    reader.follow("AAPL", terms=terms)
    reader.connection.owe([Snapshot(update(5))], terms)
    reader.connection.knows("AAPL", Known(EPOCH, 5))
    for one in updates(3, 4, 5, 6, 7):
        audience.tell(one, alarms.now())
        alarms.advance(0.2)
    assert reader.story == [{5}, 6, 7]


def test_forgetting_a_symbol_forgets_what_the_peer_knows_of_it(reader: Reader) -> None:
    reader.connection.knows("AAPL", Known(EPOCH, 5))
    reader.connection.forget(["AAPL"])
    assert reader.deliver(update(3)) == [True]


# Timing


def test_with_timing_every_update_says_when_it_was_published_bridged_and_sent(
    reader: Reader, alarms: ManualAlarms
) -> None:
    terms = Terms(timing=True)
    reader.follow("AAPL", terms=terms)
    reader.connection.owe([Snapshot(update(1)), update(2)], terms)
    reader.offer(update(3, published_us=1_000_000, bridged_us=1_500_000))
    snapshot, missed, live = reader.frames
    for frame in (snapshot, missed):
        assert "sent_at" in frame
        assert "published_at" not in frame
        assert "bridged_at" not in frame
    assert live["published_at"] == "1970-01-01T00:00:01.000000Z"
    assert live["bridged_at"] == "1970-01-01T00:00:01.500000Z"
    assert live["sent_at"] > live["bridged_at"]


def test_with_timing_each_update_of_a_batch_says_its_own(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("AAPL", terms=Terms("batch", 1.0, timing=True))
    reader.offer(update(1, published_us=1_000_000), update(2, published_us=2_000_000))
    alarms.advance(TICK_S)
    [batch] = reader.frames
    assert [one["published_at"][17:19] for one in batch["updates"]] == ["01", "02"]
    assert len({one["sent_at"] for one in batch["updates"]}) == 1


def test_without_timing_no_times_are_told(reader: Reader) -> None:
    reader.deliver(update(1, published_us=1, bridged_us=2))
    assert not {"published_at", "bridged_at", "sent_at"} & set(reader.frames[0])
