"""One socket in the modes `latest` and `batch`: an interval begins with a frame, nothing comes twice."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import wire
from realtime.audience import Audience
from realtime.batches import Update
from realtime.protocol import limits
from realtime.protocol.messages import Gap
from realtime.terms import PLAIN, Terms
from tests.realtime.peers import EPOCH, ManualAlarms, Reader, update, updates, updates_in

TICK_S = 0.01
LATEST, BATCH = Terms("latest", 1.0), Terms("batch", 1.0)


@pytest.fixture
def alarms() -> ManualAlarms:
    """The time."""
    return ManualAlarms()


@pytest.fixture
def reader(alarms: ManualAlarms) -> Reader:
    """A socket."""
    return Reader(alarms)


def batches_of(reader: Reader) -> list[list[int]]:
    """The numbers of the updates of each frame that holds some."""
    return [[one["seq"] for one in found] for frame in reader.frames if (found := updates_in(frame))]


def mark(reader: Reader, source: Audience, *told: Update) -> None:
    """Tell an audience, which marks a reader that is armed."""
    for one in told:
        source.tell(one, reader._alarms.now())


# Batch


def test_in_mode_batch_the_first_comes_at_once_and_the_rest_at_the_end_of_the_interval(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.follow("AAPL", "MSFT", terms=BATCH)
    reader.offer(update(1))
    alarms.advance(TICK_S)
    assert [frame["type"] for frame in reader.frames] == ["prediction_update"]
    reader.offer(update(2), update(3, "MSFT"))
    alarms.advance(0.5)
    reader.offer(update(4))
    assert batches_of(reader) == [[1]]
    alarms.advance(0.5)
    assert reader.frames[-1]["type"] == "batch"
    assert batches_of(reader) == [[1], [2, 3, 4]]
    # After a quiet interval the next comes at once again.
    alarms.advance(5)
    reader.offer(update(5))
    alarms.advance(TICK_S)
    assert batches_of(reader) == [[1], [2, 3, 4], [5]]


def test_a_gap_stands_between_the_batches_of_before_and_after(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("AAPL", terms=BATCH)
    reader.offer(*updates(1, 2))
    reader.connection.gap(Gap("AAPL", 2, 9, EPOCH), alarms.now())
    reader.offer(*updates(9, 10))
    alarms.advance(TICK_S)
    assert reader.story == [1, 2, (2, 9), 9, 10]
    assert batches_of(reader) == [[1, 2], [9, 10]]


def test_a_gap_alone_is_told_as_well(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("AAPL", terms=BATCH)
    reader.connection.gap(Gap("AAPL", 2, 9, EPOCH), alarms.now())
    alarms.advance(TICK_S)
    assert reader.gaps == [("AAPL", 2, 9)]


def test_a_frame_holds_so_many_updates_at_most_and_none_is_lost_below_the_capacity(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.follow("AAPL", terms=BATCH)
    reader.offer(*updates(*range(1, limits.MAX_OUTBOX + 1)))
    alarms.advance(TICK_S)
    assert reader.seqs == list(range(1, limits.MAX_OUTBOX + 1))
    assert max(map(len, batches_of(reader))) <= limits.MAX_OUTBOX
    reader.offer(*updates(*range(2_001, 3_004)))
    alarms.advance(1)
    assert reader.seqs[limits.MAX_OUTBOX :] == list(range(2_004, 3_004))
    assert reader.warnings == [3]


@pytest.mark.parametrize("others", [0, 20])
def test_batches_are_paced_and_take_turns_with_what_waits_in_order(
    reader: Reader, alarms: ManualAlarms, others: int
) -> None:
    reader.follow("AAPL", terms=Terms("batch", 0.01))
    reader.follow("MSFT")
    seqs = itertools.count(1)
    for _ in range(200):
        reader.offer(update(next(seqs)))
        if others:
            reader.deliver(update(next(seqs), "MSFT"))
            others -= 1
        alarms.advance(0.01)
    alarms.advance(2)
    assert len(reader.wire.got) <= 10 + 4 * 10
    assert sorted(reader.seqs) == list(range(1, next(seqs)))
    told = [one for frame in reader.frames for one in updates_in(frame)]
    for symbol in ("AAPL", "MSFT"):
        own = [one["seq"] for one in told if one["symbol"] == symbol]
        assert own == sorted(own)


def test_intervals_of_several_symbols_end_each_for_itself(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("AAPL", terms=BATCH)
    reader.follow("MSFT", terms=Terms("batch", 0.4))
    for seq in range(1, 13):
        reader.offer(update(seq), update(100 + seq, "MSFT"))
        alarms.advance(0.1)
    alarms.advance(TICK_S)
    assert batches_of(reader) == [
        [1],
        [101],
        [102, 103, 104, 105],
        [106, 107, 108, 109],
        [2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
        [110, 111, 112],
    ]


# Latest


def test_in_mode_latest_the_first_comes_at_once_and_then_the_newest_of_each_symbol_every_interval(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.follow("AAPL", "MSFT", terms=LATEST)
    apple, micro = Audience(), Audience()
    for audience in (apple, micro):
        audience.add(reader.connection, LATEST)
    mark(reader, apple, update(1))
    alarms.advance(TICK_S)
    assert batches_of(reader) == [[1]]
    mark(reader, apple, *updates(2, 3))
    mark(reader, micro, update(4, "MSFT"), update(5, "MSFT"))
    mark(reader, apple, update(6))
    alarms.advance(0.9)
    assert batches_of(reader) == [[1]]
    alarms.advance(0.1)
    assert batches_of(reader) == [[1], [6, 5]]
    # It is armed again: the next update marks it, and comes with the next interval.
    mark(reader, apple, update(7))
    alarms.advance(0.5)
    assert batches_of(reader) == [[1], [6, 5]]
    alarms.advance(0.6)
    assert batches_of(reader) == [[1], [6, 5], [7]]
    alarms.advance(10)
    assert batches_of(reader) == [[1], [6, 5], [7]]


def test_the_value_that_is_sent_is_the_one_at_the_end_of_the_interval(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.follow("AAPL", terms=LATEST)
    audience = Audience()
    audience.add(reader.connection, LATEST)
    mark(reader, audience, update(1))
    mark(reader, audience, update(2))
    alarms.advance(TICK_S)
    assert batches_of(reader) == [[2]]


def test_in_mode_latest_with_a_filter_the_newest_that_passes_is_sent(
    reader: Reader, alarms: ManualAlarms
) -> None:
    reader.follow("AAPL", terms=Terms("latest", 1.0, min_confidence=0.5))
    reader.offer(update(1), update(2))
    alarms.advance(TICK_S)
    reader.offer(*updates(3, 4))
    alarms.advance(1)
    assert batches_of(reader) == [[2], [4]]


def test_in_mode_latest_no_gap_is_told(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("AAPL", terms=LATEST)
    reader.connection.gap(Gap("AAPL", 2, 9, EPOCH), alarms.now())
    alarms.advance(5)
    assert reader.frames == []


@pytest.mark.parametrize("terms", [LATEST, BATCH])
def test_what_waits_for_an_interval_is_forgotten_with_its_symbol(
    reader: Reader, alarms: ManualAlarms, terms: Terms
) -> None:
    reader.follow("AAPL", "MSFT", terms=terms)
    reader.offer(update(1), update(2, "MSFT"))
    reader.connection.forget(["AAPL"])
    alarms.advance(5)
    assert reader.seqs == [2]


@pytest.mark.parametrize("terms", [LATEST, BATCH])
def test_a_reader_that_is_blocked_when_its_interval_ends_gets_it_when_it_reads_again(
    reader: Reader, alarms: ManualAlarms, terms: Terms
) -> None:
    reader.follow("AAPL", terms=terms)
    reader.offer(update(1))
    alarms.advance(TICK_S)
    reader.offer(update(2))
    reader.wire.block()
    alarms.advance(1.5)
    assert reader.seqs == [1]
    reader.wire.unblock()
    assert reader.seqs == [1, 2]


def test_a_source_that_has_nothing_holds_nobody_up(reader: Reader, alarms: ManualAlarms) -> None:
    reader.follow("AAPL", terms=LATEST)
    reader.follow("MSFT", terms=BATCH)
    reader.connection._box.lane("latest", 1.0).marked["AAPL"] = Audience()
    reader.offer(update(1, "MSFT"))
    alarms.advance(TICK_S)
    assert reader.seqs == [1]
    assert reader.connection.waiting == 0


@settings(deadline=None)
@given(
    interval_ms=st.integers(min_value=10, max_value=2_000),
    arrivals=st.lists(
        st.tuples(st.sampled_from(["AAPL", "MSFT", "IBM"]), st.floats(min_value=0, max_value=0.9)),
        min_size=1,
        max_size=60,
    ),
)
def test_whenever_updates_come_each_mode_keeps_its_interval_its_pace_and_its_promise(
    interval_ms: int, arrivals: list[tuple[str, float]]
) -> None:
    alarms = ManualAlarms()
    modes = {"AAPL": "batch", "MSFT": "latest", "IBM": "all"}
    reader, audience = Reader(alarms), Audience()
    terms = {
        "AAPL": Terms("batch", interval_ms / 1000),
        "MSFT": Terms("latest", interval_ms / 1000),
        "IBM": PLAIN,
    }
    for symbol in modes:
        reader.follow(symbol, terms=terms[symbol])
    audience.add(reader.connection, terms["MSFT"])
    sent: dict[str, list[int]] = {symbol: [] for symbol in modes}
    for seq, (symbol, pause) in enumerate(arrivals, start=1):
        one = update(seq, symbol)
        sent[symbol].append(seq)
        if symbol == "MSFT":
            mark(reader, audience, one)
        elif symbol == "AAPL":
            reader.offer(one)
        else:
            reader.connection.deliver(one, wire.frame(one.frame), alarms.now())
        alarms.advance(pause)
    alarms.advance(10)
    got: dict[str, list[int]] = {symbol: [] for symbol in modes}
    times: dict[str, list[float]] = {symbol: [] for symbol in modes}
    for frame, at in zip(reader.frames, reader.wire.times, strict=True):
        for one_told in updates_in(frame):
            got[one_told["symbol"]].append(one_told["seq"])
        times[updates_in(frame)[0]["symbol"]].append(at)
    assert (got["AAPL"], got["IBM"]) == (sent["AAPL"], sent["IBM"])
    assert got["MSFT"] == sorted(set(got["MSFT"]))
    assert got["MSFT"][-1:] == sent["MSFT"][-1:]
    for symbol in ("AAPL", "MSFT"):
        for earlier, later in itertools.pairwise(times[symbol]):
            assert later - earlier >= interval_ms / 1000 - 1e-6
