"""One socket that reads: its updates go at once or are paced, and its answers and its end are right."""

from __future__ import annotations

import asyncio
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import wire
from realtime.audience import Audience
from realtime.known import Known
from realtime.lag import Lag
from realtime.protocol import limits, messages
from realtime.protocol.codes import Close, Code
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
    """A socket that follows AAPL."""
    made = Reader(alarms)
    made.follow("AAPL", "MSFT")
    return made


async def test_a_plain_update_is_written_at_once_in_the_bytes_that_everyone_gets_and_without_a_task(
    reader: Reader,
) -> None:
    before = len(asyncio.all_tasks())
    assert reader.deliver(*updates(1, 2, 3)) == [True] * 3
    assert len(asyncio.all_tasks()) == before
    assert reader.wire.got == [one.frame for one in updates(1, 2, 3)]
    assert (reader.connection.sent, reader.connection.waiting, reader.connection.dropped) == (3, 0, 0)
    assert reader.connection._outbox is None


def test_ten_go_at_once_and_then_one_every_tenth_of_a_second_in_order(
    reader: Reader, alarms: ManualAlarms
) -> None:
    assert reader.deliver(*updates(*range(1, 31))) == [True] * 10 + [False] * 20
    assert reader.connection.waiting == 20
    alarms.advance(0.01)  # alarms share a tick
    for more in range(1, 6):
        alarms.advance(0.1)
        assert reader.seqs == list(range(1, 11 + more))
    alarms.advance(1.6)
    assert reader.seqs == list(range(1, 31))
    assert reader.connection.waiting == 0
    # A quiet second later a burst may go again.
    alarms.advance(1.1)
    assert reader.deliver(*updates(*range(31, 42))) == [True] * 10 + [False]


@settings(deadline=None)
@given(
    per_s=st.integers(min_value=1, max_value=40),
    pauses=st.lists(st.floats(min_value=0, max_value=0.7), min_size=1, max_size=60),
)
def test_never_more_frames_go_in_any_window_than_the_pace_and_one_burst(
    per_s: int, pauses: list[float]
) -> None:
    alarms = ManualAlarms()
    reader = Reader(alarms)
    reader.follow("AAPL")
    reader.connection.pace(per_s)
    for seq, pause in enumerate(pauses, start=1):
        reader.deliver(update(seq))
        alarms.advance(pause)
    went = reader.wire.times
    for first in range(len(went)):
        for last in range(first, len(went)):
            assert last - first + 1 <= per_s * (went[last] - went[first]) + per_s + 1e-3
    alarms.advance(len(pauses) / per_s + 1)
    assert reader.seqs == list(range(1, len(pauses) + 1))


def test_the_update_that_does_not_fit_drops_the_oldest_and_the_peer_is_told_how_many(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.deliver(*updates(*range(1, 10 + CAPACITY + 1)))
    assert (reader.connection.waiting, reader.connection.dropped, reader.warnings) == (CAPACITY, 0, [])
    reader.deliver(update(1_011))
    assert (reader.connection.waiting, reader.connection.dropped) == (CAPACITY, 1)
    assert reader.warnings == [1]
    alarms.advance(CAPACITY / 10 + 1)
    assert reader.seqs == [*range(1, 11), *range(12, 1_012)]
    assert reader.connection.sent + reader.connection.dropped == 1_011


def test_one_warning_a_second_tells_exactly_what_was_dropped_since_the_last(
    reader: Reader, alarms: ManualAlarms
) -> None:
    seq = 10 + CAPACITY
    reader.deliver(*updates(*range(1, seq + 1)))
    told_at: list[float] = []
    for _ in range(350):
        seq += 1
        reader.deliver(update(seq))
        told_at += [alarms.now()] * (len(reader.warnings) - len(told_at))
        alarms.advance(0.01)
    between = [later - earlier for earlier, later in itertools.pairwise(told_at)]
    assert between == pytest.approx([1.0] * 3, abs=0.02)
    assert min(between) > 0.999
    alarms.advance(1.0)
    assert sum(reader.warnings) == reader.connection.dropped
    alarms.advance(CAPACITY)
    assert reader.connection.dropped + len(reader.seqs) == seq
    assert reader.seqs == sorted(reader.seqs)


def test_without_more_to_send_the_last_warning_still_comes(reader: Reader, alarms: ManualAlarms) -> None:
    reader.deliver(*updates(*range(1, 10 + CAPACITY + 3)))
    assert reader.warnings == [1]
    reader.connection.forget(["AAPL"])
    alarms.advance(1.1)
    assert reader.warnings == [1, 1]
    alarms.advance(5)
    assert reader.warnings == [1, 1]
    assert reader.connection.dropped == 2


def test_answers_are_written_at_once_whatever_waits(reader: Reader) -> None:
    reader.deliver(*updates(*range(1, 13)))
    reader.connection.tell(Pong("7"))
    reader.connection.tell_frame(b'{"type":"own"}')
    assert reader.frames[-2:] == [{"type": "pong", "id": "7"}, {"type": "own"}]
    assert reader.connection.waiting == 2


def test_a_gap_stands_in_its_place_among_the_updates(reader: Reader, alarms: ManualAlarms) -> None:
    reader.deliver(*updates(*range(1, 11)))
    reader.deliver(update(11))
    reader.connection.gap(Gap("AAPL", 11, 15, EPOCH), alarms.now())
    reader.deliver(update(15))
    alarms.advance(1)
    assert reader.story[-4:] == [10, 11, (11, 15), 15]
    assert reader.frames[11] == {"type": "gap", "symbol": "AAPL", "from": 11, "to": 15, "epoch": EPOCH}


def test_a_gap_is_told_at_once_where_nothing_waits(reader: Reader, alarms: ManualAlarms) -> None:
    reader.connection.gap(Gap("AAPL", 1, 5, EPOCH), alarms.now())
    assert reader.gaps == [("AAPL", 1, 5)]
    assert reader.deliver(update(6)) == [True]


def test_what_waits_of_a_symbol_is_not_sent_after_it_is_forgotten(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.deliver(*updates(*range(1, 11)))
    reader.deliver(update(11), update(12, "MSFT"), update(13))
    reader.connection.forget(["AAPL"])
    alarms.advance(5)
    assert reader.seqs == [*range(1, 11), 12]
    assert reader.deliver(update(14)) == [True]


def test_refusing_tells_why_then_closes_and_nothing_is_sent_after(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.deliver(*updates(*range(1, 15)))
    reader.connection.refuse(Code.IDLE, "Nothing was asked for.", Close.TIMEOUT)
    told = len(reader.wire.got)
    assert reader.frames[-1] == {"type": "error", "code": "IDLE", "detail": "Nothing was asked for."}
    assert reader.wire.closed_with == (4408, "IDLE")
    say_everything(reader, alarms)
    assert (len(reader.wire.got), reader.connection.waiting) == (told, 0)


@pytest.mark.parametrize("end", ["closed", "lost"])
def test_nothing_is_sent_and_nothing_kept_after_the_end(
    reader: Reader, alarms: ManualAlarms, end: str
) -> None:
    reader.deliver(*updates(*range(1, 15)))
    if end == "closed":
        reader.connection.close(Close.RESTART, "later")
        assert reader.wire.closed_with == (1012, "later")
    else:
        reader.wire.lose()
        assert reader.wire.closed_with is None
    say_everything(reader, alarms)
    assert reader.seqs == list(range(1, 11))
    assert (reader.connection.closed, reader.connection.waiting) == (True, 0)
    assert reader.connection._outbox is None


def test_a_peer_that_is_found_to_be_gone_while_it_is_written_to_ends_there(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.deliver(*updates(*range(1, 15)))
    reader.wire.is_lost = True
    alarms.advance(1)
    assert (reader.connection.closed, reader.connection._outbox, reader.seqs) == (True, None, [*range(1, 11)])
    assert reader.connection._wire is wire.GONE
    other = Reader(alarms)
    other.follow("AAPL")
    other.wire.is_lost = True
    other.deliver(*updates(1, 2))
    other.connection.tell(Pong())
    assert (other.connection.closed, other.frames) == (True, [])


def say_everything(reader: Reader, alarms: ManualAlarms) -> None:
    """All that may be said to a connection, and time for it to go."""
    connection = reader.connection
    reader.deliver(update(100))
    reader.offer(update(101))
    connection.gap(Gap("AAPL", 1, 100, EPOCH), alarms.now())
    connection.owe([update(102)], connection.symbols["AAPL"])
    connection.knows("AAPL", Known(EPOCH, 103))
    connection.forget(["AAPL"])
    connection.tell(Pong("late"))
    connection.refuse(Code.IDLE, "again", Close.TIMEOUT)
    connection.close(Close.RESTART)
    connection.on_blocked()
    alarms.advance(30)
    connection.on_writable()
    connection.on_lost()
    reader.deliver(update(104))
    alarms.advance(30)


def test_a_newer_value_for_one_that_is_gone_keeps_nothing(alarms: ManualAlarms) -> None:
    reader, audience = Reader(alarms), Audience()
    reader.follow("AAPL", terms=Terms("latest", 1.0))
    audience.add(reader.connection, Terms("latest", 1.0))
    reader.connection.close(Close.RESTART)
    for one in updates(1, 2):
        audience.tell(one, alarms.now())
        alarms.advance(5)
    assert reader.connection._outbox is None
    assert reader.frames == []


def test_how_far_a_socket_is_behind_is_the_age_of_the_update_that_waits_longest(
    reader: Reader, alarms: ManualAlarms
) -> None:
    assert reader.connection.behind_us(5_000) == 0
    reader.deliver(*updates(*range(1, 11)))
    reader.deliver(update(11, published_us=1_000, bridged_us=2_000), update(12, published_us=4_000))
    assert reader.connection.behind_us(5_000) == 4_000
    alarms.advance(0.11)
    assert reader.connection.behind_us(5_000) == 1_000
    alarms.advance(1)
    assert reader.connection.behind_us(5_000) == 0


@pytest.mark.parametrize(("bridged_us", "behind_us"), [(2_000, 3_000), (None, 0)])
def test_an_update_from_a_store_is_as_old_as_the_bridge_says_or_not_at_all(
    reader: Reader, bridged_us: int | None, behind_us: int
) -> None:
    reader.deliver(*updates(*range(1, 11)))
    reader.deliver(update(11, bridged_us=bridged_us))
    assert reader.connection.behind_us(5_000) == behind_us


def test_what_had_to_wait_is_measured_when_it_goes(alarms: ManualAlarms) -> None:
    lag = Lag()
    reader = Reader(alarms, lag=lag)
    reader.follow("AAPL")
    reader.deliver(*[update(seq, published_us=1) for seq in range(1, 12)])
    assert lag.count == 0  # of those that went at once the hub counts all sockets together
    alarms.advance(0.2)
    assert lag.count == 1


def test_a_frame_that_is_written_is_the_one_that_was_framed_for_everybody(reader: Reader) -> None:
    big = update(1)
    framed = wire.frame(messages.update(json.dumps({"seq": 1, "text": "x" * 70_000}).encode()))
    assert reader.connection.deliver(big, framed, reader.connection._alarms.now())
    assert wire.frame(reader.wire.got[0]) == framed
