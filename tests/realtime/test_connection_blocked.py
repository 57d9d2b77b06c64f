"""One socket whose reader takes nothing: bounded, left the newest after 2 s, given up after 20 s."""

from __future__ import annotations

import pytest

from realtime.batches import Update
from realtime.protocol import limits
from realtime.protocol.codes import Close
from realtime.protocol.messages import Gap, Pong
from realtime.terms import Terms
from tests.realtime.peers import EPOCH, ManualAlarms, Reader, update, updates

CAPACITY = limits.MAX_OUTBOX


@pytest.fixture
def alarms() -> ManualAlarms:
    """The time."""
    return ManualAlarms()


@pytest.fixture
def reader(alarms: ManualAlarms) -> Reader:
    """A socket that follows two symbols and may get as much as it reads."""
    made = Reader(alarms)
    made.follow("AAPL", "MSFT")
    made.connection.pace(10_000)
    return made


def test_a_reader_that_stops_and_goes_on_within_two_seconds_gets_everything_in_order(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.deliver(*updates(1, 2))
    reader.wire.block()
    assert reader.deliver(*updates(3, 4)) == [False, False]
    reader.connection.gap(Gap("AAPL", 4, 9, EPOCH), alarms.now())
    reader.connection.tell(Pong("7"))
    reader.connection.owe(updates(20, symbol="MSFT"), Terms())
    alarms.advance(1.9)
    assert reader.seqs == [1, 2]
    reader.wire.unblock()
    alarms.advance(0.1)
    assert reader.story == [1, 2, 20, 3, 4, (4, 9)]
    assert [frame["type"] for frame in reader.frames][2] == "pong"
    assert (reader.connection.dropped, reader.warnings) == (0, [])
    assert reader.deliver(update(10)) == [True]


def test_a_reader_that_takes_one_frame_at_a_time_gets_everything_in_order(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.wire.room = 1
    for seq in range(1, 40):
        reader.deliver(update(seq))
        reader.connection.tell(Pong(str(seq)))
        if seq % 2:
            alarms.advance(0.01)
            reader.wire.unblock(room=1)
    for _ in range(80):
        alarms.advance(0.01)
        reader.wire.unblock(room=1)
    assert reader.seqs == list(range(1, 40))
    assert [int(frame["id"]) for frame in reader.frames if "id" in frame] == list(range(1, 40))


def test_a_reader_that_unblocks_with_nothing_waiting_is_written_to_at_once_again(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.wire.block()
    reader.wire.unblock()
    assert reader.deliver(*updates(1, 2)) == [True, True]
    assert reader.connection._outbox is None
    alarms.advance(30)
    assert reader.wire.closed_with is None


def test_after_two_seconds_the_newest_of_each_symbol_is_left_and_the_rest_is_counted(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.deliver(update(1))
    reader.wire.block()
    reader.connection.owe([update(2), update(3, "MSFT")], Terms())
    reader.deliver(*updates(*range(4, 50)), update(50, "MSFT"))
    reader.connection.gap(Gap("AAPL", 49, 60, EPOCH), alarms.now())
    alarms.advance(1.95)
    assert reader.connection.waiting == 50
    alarms.advance(0.1)
    assert reader.connection.waiting == 2
    reader.deliver(update(60))
    alarms.advance(1.1)
    assert reader.connection.waiting == 2
    reader.wire.unblock()
    assert reader.seqs == [1, 50, 60]
    # 2 to 49 but the two newest, the gap, and 49 when 60 came.
    assert reader.warnings == [49]
    assert reader.connection.dropped == 49


def test_what_waits_for_an_interval_is_cut_to_the_newest_as_well(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.follow("AAPL", terms=Terms("batch", 0.5))
    reader.wire.block()
    reader.offer(*updates(*range(1, 9)))
    alarms.advance(2.1)
    assert reader.connection.waiting == 1
    reader.wire.unblock()
    alarms.advance(0.01)
    assert (reader.seqs, reader.warnings) == ([8], [7])


def test_after_twenty_seconds_it_is_given_up_with_a_reason(
    reader: Reader, alarms: ManualAlarms, caplog: pytest.LogCaptureFixture
) -> None:
    reader.wire.block()
    reader.deliver(update(1))
    closed_with = []
    for seconds in (19.9, 1.2):
        alarms.advance(seconds)
        closed_with.append(reader.wire.closed_with)
    assert closed_with == [None, (4503, "SLOW_READER")]
    assert reader.frames == [
        {"type": "error", "code": "SLOW_READER", "detail": "You have not read for too long."}
    ]
    assert "giving up a reader" in caplog.text
    assert (reader.connection.closed, reader.connection._outbox) == (True, None)


def test_the_seconds_count_anew_with_every_frame_that_is_taken(reader: Reader, alarms: ManualAlarms) -> None:
    reader.wire.block()
    for seq in range(1, 12):
        reader.deliver(update(seq))
        alarms.advance(10)
        reader.wire.unblock(room=1)
    assert reader.wire.closed_with is None
    assert reader.wire.is_blocked
    assert reader.seqs[-1] == 11
    alarms.advance(21.1)
    assert reader.wire.closed_with == (4503, "SLOW_READER")


def test_a_reader_that_is_fast_again_is_not_given_up_for_what_was(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.wire.block()
    alarms.advance(19)
    reader.wire.unblock()
    alarms.advance(60)
    assert not reader.connection.closed
    assert reader.deliver(update(1)) == [True]


def feed(reader: Reader, seq: int) -> None:
    """A little of everything."""
    one: Update = update(seq, ["AAPL", "MSFT", "IBM"][seq % 3])
    if one.symbol == "IBM":
        reader.offer(one)
    else:
        reader.deliver(one)


def test_a_blocked_reader_costs_a_bounded_amount_of_memory(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("IBM", terms=Terms("batch", 0.25))
    reader.wire.block()
    reader.connection.owe(updates(*range(1, 1_001)), Terms())
    for seq in range(1_001, 9_000):
        feed(reader, seq)
        outbox = reader.connection._outbox
        assert outbox is not None
        assert len(outbox.updates) <= 3 * CAPACITY
        assert reader.connection.waiting <= 4 * CAPACITY
    alarms.advance(2.1)
    assert reader.connection.waiting == 3
    for seq in range(9_000, 12_000):
        feed(reader, seq)
    alarms.advance(1.1)
    assert reader.connection.waiting == 3
    reader.wire.unblock()
    alarms.advance(0.3)
    assert len(reader.seqs) + reader.connection.dropped == 11_999
    assert sum(reader.warnings) == reader.connection.dropped


def test_a_reader_that_asks_without_reading_is_given_up_before_its_answers_fill_the_memory(
    reader: Reader,
) -> None:
    reader.wire.block()
    for number in range(CAPACITY + 1):
        assert not reader.connection.closed, number
        reader.connection.tell(Pong())
    assert reader.wire.closed_with == (4503, "SLOW_READER")
    reader.connection.tell(Pong())
    assert len(reader.wire.got) == 1


def test_a_reader_that_blocks_during_its_warning_or_its_answers_gets_the_rest_later(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.wire.block()
    reader.deliver(*updates(*range(1, CAPACITY + 6)))
    reader.connection.tell(Pong("7"))
    reader.wire.unblock(room=1)
    assert [frame["type"] for frame in reader.frames] == ["pong"]
    alarms.advance(1)
    reader.wire.unblock(room=CAPACITY)
    assert (len(reader.seqs), reader.warnings) == (CAPACITY, [])
    alarms.advance(1)
    reader.wire.unblock(room=1)
    assert reader.warnings == [5]
    assert reader.wire.is_blocked


@pytest.mark.parametrize("is_blocked", [True, False])
def test_a_close_reaches_the_peer_whether_it_reads_or_not(reader: Reader, is_blocked: bool) -> None:
    if is_blocked:
        reader.wire.block()
    reader.deliver(update(1))
    reader.connection.close(Close.RESTART)
    assert reader.wire.closed_with == (1012, "")
    assert reader.seqs == ([] if is_blocked else [1])
