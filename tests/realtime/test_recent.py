"""The memory of recent updates: what is news, what came after a place, what is newest, how far it goes."""

from __future__ import annotations

import tracemalloc

import pytest

from realtime import batches, recent
from realtime.protocol.requests import Since
from realtime.recent import Arrival, Recent
from tests.realtime.peers import EPOCH, LATER_EPOCH, document, made_at, update, updates

NEXT, LATE, KNOWN = Arrival.NEXT, Arrival.LATE, Arrival.KNOWN


def filled(*seqs: int, symbol: str = "AAPL", capacity: int = 100) -> Recent:
    """A memory that begins before the first of `seqs`, as it is after a start."""
    memory = Recent(capacity)
    memory.begin(EPOCH, complete_after=seqs[0] - 1)
    for one in updates(*seqs, symbol=symbol):
        memory.add(one)
    return memory


def seqs_after(memory: Recent, seq: int, *symbols: str) -> list[int]:
    """The numbers of what it has after `seq`."""
    return [one.seq for one in memory.after(Since(memory.epoch, seq), symbols)]


def covers(memory: Recent, seq: int, symbol: str = "AAPL", epoch: str = EPOCH) -> bool:
    """True if it has everything of `symbol` after `seq`."""
    return memory.covers(symbol, Since(epoch, seq))


def test_at_first_it_knows_nothing_and_covers_nothing() -> None:
    memory = Recent(3)
    assert (len(memory), memory.place) == (0, ("", 0))
    assert (memory.newest("AAPL"), memory.last_of("AAPL")) == (None, None)
    for epoch, seq in (("", 0), ("", 9), (EPOCH, 0)):
        assert not covers(memory, seq, epoch=epoch)
    assert seqs_after(memory, 0, "AAPL") == []


def test_the_first_update_begins_a_life_that_is_complete_from_there() -> None:
    memory = Recent(3)
    assert memory.add(update(7)) is NEXT
    assert (memory.epoch, memory.complete_after, memory.place) == (EPOCH, 6, (EPOCH, 7))
    assert covers(memory, 6)
    assert not covers(memory, 5)


def test_what_follows_is_next_what_was_overtaken_is_late_and_what_comes_again_is_known() -> None:
    memory = filled(1)
    assert [memory.add(one) for one in updates(3, 2, 3, 2, 1, 4)] == [NEXT, LATE, KNOWN, KNOWN, KNOWN, NEXT]
    assert seqs_after(memory, 0, "AAPL") == [1, 2, 3, 4]


def test_each_symbol_is_overtaken_by_itself_alone() -> None:
    memory = filled(1)
    told = [update(5), update(3, "MSFT"), update(4), update(2, "MSFT")]
    assert [memory.add(one) for one in told] == [NEXT, NEXT, LATE, LATE]


def test_what_came_after_a_place_is_told_in_order_and_of_the_symbols_that_were_asked_for() -> None:
    memory = filled(1)
    for one in (update(5), update(3, "MSFT"), update(4), update(2, "MSFT"), update(6, "IBM")):
        memory.add(one)
    assert seqs_after(memory, 2, "MSFT", "AAPL") == [3, 4, 5]
    assert seqs_after(memory, 0, "IBM") == [6]
    assert seqs_after(memory, 6, "AAPL", "MSFT", "IBM", "XOM") == []


def test_an_update_of_an_earlier_life_is_known_and_one_of_a_later_life_begins_anew() -> None:
    memory = filled(1, 2, 3)
    assert memory.add(update(2, epoch=LATER_EPOCH)) is NEXT
    assert memory.add(update(9)) is KNOWN
    assert (memory.place, memory.complete_after, len(memory)) == ((LATER_EPOCH, 2), 1, 1)
    assert not covers(memory, 3)
    assert seqs_after(memory, 0, "AAPL") == [2]
    assert memory.last_of("AAPL") == 2


def test_lives_sort_by_their_time_and_an_epoch_that_is_no_number_is_the_earliest() -> None:
    memory = Recent(9)
    for epoch, arrival in (("odd", NEXT), ("ff", NEXT), ("odd", KNOWN), ("fe", KNOWN), ("100", NEXT)):
        assert memory.add(update(1, epoch=epoch)) is arrival, epoch
    assert memory.epoch == "100"


def test_a_value_without_a_place_is_no_news_of_the_stream() -> None:
    memory = Recent(9)
    assert memory.add(update(0, epoch="")) is KNOWN
    memory.add(update(1))
    assert memory.add(update(0, epoch="")) is KNOWN


def test_what_several_bridges_tell_at_the_begin_of_a_life_is_late_and_not_known() -> None:
    memory = filled(1, 2)
    assert memory.add(update(5, epoch=LATER_EPOCH)) is NEXT
    assert memory.add(update(3, epoch=LATER_EPOCH)) is LATE
    assert memory.add(update(3, epoch=LATER_EPOCH)) is KNOWN
    assert seqs_after(memory, 4, "AAPL") == [5]


def test_beyond_its_capacity_the_oldest_goes_and_the_place_moves_on() -> None:
    memory = filled(1, 2, 3, 4, 5, capacity=3)
    assert (len(memory), memory.complete_after) == (3, 2)
    assert seqs_after(memory, 0, "AAPL") == [3, 4, 5]
    assert covers(memory, 2)
    assert not covers(memory, 1)
    assert memory.add(update(2)) is KNOWN


def test_the_newest_of_a_symbol_stays_when_its_update_has_gone() -> None:
    memory = filled(1, capacity=2)
    for one in updates(2, 3, 4, symbol="MSFT"):
        memory.add(one)
    assert memory.newest("AAPL") == update(1)
    assert memory.last_of("AAPL") == 1
    assert seqs_after(memory, 0, "AAPL") == []


def test_the_newest_is_the_value_that_was_made_last_whenever_it_came() -> None:
    memory = filled(1)
    backfilled = update(9, made_us=made_at(5))
    for one in (update(7, made_us=made_at(10)), backfilled):
        memory.add(one)
    assert memory.newest("AAPL") == update(7, made_us=made_at(10))
    assert memory.last_of("AAPL") == 9
    corrected = update(10, made_us=made_at(10))
    memory.add(corrected)
    assert memory.newest("AAPL") == corrected


@pytest.mark.parametrize(
    ("held", "asked", "neighbours"),
    [
        ([1, 3], 2, (1, 3)),
        ([1, 2, 3], 2, (1, 3)),
        ([3, 4], 2, (0, 3)),
        ([1], 2, (1, 2)),
        ([], 2, (0, 2)),
        ([1, 2, 4, 5], 3, (2, 4)),
    ],
)
def test_the_neighbours_of_an_update_are_those_of_its_symbol(
    held: list[int], asked: int, neighbours: tuple[int, int]
) -> None:
    memory = filled(1, symbol="MSFT")
    for one in updates(*held):
        memory.add(one)
    memory.add(update(5, "MSFT"))
    assert memory.neighbours(update(asked)) == neighbours


def test_the_last_update_is_the_one_with_the_greatest_seq_that_is_still_held() -> None:
    memory = filled(1, 3, 2, capacity=3)
    memory.add(update(9, made_us=0))
    assert memory.last_update("AAPL") == update(9, made_us=0)
    for one in updates(10, 11, 12, symbol="MSFT"):
        memory.add(one)
    assert memory.last_update("AAPL") is None
    assert memory.last_update("XOM") is None


def test_symbols_are_bounded_too_and_the_one_that_was_silent_longest_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "MOST_SYMBOLS", 2)
    memory = filled(1, symbol="BUSY", capacity=2)
    memory.add(update(2, "SILENT"))
    memory.add(update(3, "BUSY"))
    memory.add(update(4, "NEW"))
    assert [memory.newest(symbol) is None for symbol in ("BUSY", "SILENT", "NEW")] == [False, True, False]
    assert memory.last_of("SILENT") is None


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_of_a_symbol_that_was_let_go_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, capacity: int) -> None:
    monkeypatch.setattr(recent, "MOST_SYMBOLS", 3)
    memory = Recent(capacity)
    for seq in range(1, 50):
        memory.add(update(seq, f"S{seq}"))
        assert len(memory._newest) <= 3
        assert set(memory._last) == set(memory._newest) | set(memory._of)
    assert len(memory._last) == max(3, capacity)


def test_a_symbol_that_was_let_go_does_not_repeat_what_is_still_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent, "MOST_SYMBOLS", 1)
    memory = filled(1)
    memory.add(update(2, "MSFT"))
    assert memory.newest("AAPL") is None
    assert memory.add(update(1)) is KNOWN
    assert seqs_after(memory, 0, "AAPL", "MSFT") == [1, 2]


def test_after_a_break_only_what_comes_from_then_on_is_covered() -> None:
    memory = filled(1, 2, 3)
    memory.break_off()  # 4 and 5 were lost
    assert not covers(memory, 3)
    assert not covers(memory, 4)
    assert memory.add(update(6)) is NEXT
    assert not covers(memory, 3)
    assert not covers(memory, 4)
    assert covers(memory, 6)


def test_a_symbol_that_has_not_moved_since_is_covered_however_long_ago_that_was() -> None:
    memory = filled(1, 2, capacity=2)
    for one in updates(3, 4, 5, symbol="MSFT"):
        memory.add(one)
    assert memory.complete_after == 3
    assert [covers(memory, seq) for seq in (1, 2, 3)] == [False, True, True]
    assert [covers(memory, seq, "MSFT") for seq in (2, 3)] == [False, True]
    assert [covers(memory, seq, "UNKNOWN") for seq in (2, 3)] == [False, True]
    assert seqs_after(memory, 2, "AAPL") == []


def test_what_each_symbol_was_seen_up_to_counts_for_itself() -> None:
    memory = filled(1, 3)
    for one in (update(2, "MSFT"), update(4, "MSFT"), update(5, "IBM")):
        memory.add(one)
    since = Since(EPOCH, 4, {"AAPL": 1, "MSFT": 3})
    assert [one.seq for one in memory.after(since, ["AAPL", "MSFT", "IBM"])] == [3, 4, 5]
    assert [one.seq for one in memory.after(since, ["IBM", "MSFT"])] == [4, 5]
    assert memory.after(Since(LATER_EPOCH, 0), ["AAPL"]) == []


def test_after_a_break_a_symbol_that_was_not_heard_since_may_have_moved() -> None:
    memory = filled(1, 2)
    memory.add(update(3, "MSFT"))
    memory.break_off()
    memory.add(update(9, "MSFT"))
    assert not any(covers(memory, seq) for seq in (2, 3, 7))
    assert covers(memory, 8)
    assert [covers(memory, seq, "MSFT") for seq in (3, 7, 8, 9)] == [False, False, True, True]


def test_after_a_break_what_was_overtaken_before_it_is_late_and_not_known() -> None:
    memory = filled(1, 2, 5)
    memory.break_off()
    assert memory.add(update(4)) is LATE
    assert memory.add(update(2)) is KNOWN


def test_a_break_whose_end_is_known_ends_there_whatever_comes_again() -> None:
    memory = filled(1, 2)
    memory.break_off((EPOCH, 5))  # 3 to 5 were lost
    assert memory.may_have_moved("AAPL")
    assert memory.add(update(3)) is NEXT
    assert [covers(memory, seq) for seq in (2, 3, 4, 5)] == [False, False, False, True]
    assert memory.missed_before(update(6)) == 3
    memory.add(update(6))
    assert memory.missed_before(update(7)) is None
    assert [covers(memory, seq) for seq in (4, 5, 6)] == [False, True, True]


def test_a_break_that_reaches_into_another_life_is_one_there() -> None:
    memory = filled(1, 2)
    memory.break_off((LATER_EPOCH, 5))
    first = update(3, epoch=LATER_EPOCH)
    assert memory.missed_before(first) == 0
    memory.add(first)
    assert memory.complete_after == 5
    assert memory.missed_before(update(9, epoch=LATER_EPOCH)) == 3
    assert memory.missed_before(update(9, "MSFT", epoch=LATER_EPOCH)) == 0


def test_while_a_break_reaches_into_another_life_nothing_of_this_one_is_covered() -> None:
    memory = filled(1, 2)
    memory.break_off((LATER_EPOCH, 1))
    assert not any(covers(memory, seq) for seq in (1, 2, 3))


def test_the_end_of_a_break_without_a_known_end_does_not_undo_another() -> None:
    memory = filled(1, 2)
    memory.break_off((EPOCH, 20))
    memory.break_off()
    memory.add(update(13))
    assert memory.complete_after == 20
    assert [covers(memory, seq) for seq in (13, 19, 20)] == [False, False, True]


def test_without_a_break_nothing_was_missed_before_an_update() -> None:
    memory = filled(1, 2)
    for one in (update(9), update(9, "MSFT"), update(9, epoch=LATER_EPOCH)):
        assert memory.missed_before(one) is None


def test_what_came_late_is_known_to_those_alone_who_were_told_something_after_it() -> None:
    memory = filled(1, 4, 7)
    assert memory.add(update(3)) is LATE
    memory.add(update(9))
    assert [memory.late_around("AAPL", seen) for seen in (2, 3, 4, 7, 8, 9)] == [
        None,
        None,
        (1, 4),
        (1, 4),
        None,
        None,
    ]
    assert memory.add(update(6)) is LATE
    assert memory.late_around("AAPL", 7) == (1, 7)
    assert memory.late_around("AAPL", 9) == (4, 7)
    assert memory.late_around("MSFT", 9) is None


def test_what_came_late_is_forgotten_with_the_rest() -> None:
    memory = filled(1, 4, capacity=3)
    memory.add(update(3))
    assert memory.late_around("AAPL", 4) == (1, 4)
    memory.add(update(5))  # 1 goes
    assert memory.late_around("AAPL", 4) == (0, 4)
    for seq in (6, 7):
        memory.add(update(seq, "MSFT"))
    assert memory.late_around("AAPL", 4) is None
    memory.add(update(1, epoch=LATER_EPOCH))
    assert memory.late_around("AAPL", 4) is None


def test_an_update_takes_about_as_much_memory_as_the_settings_say() -> None:
    count, now_us = 2_000, made_at(1)
    told = [
        batches.update_of(
            document(seq, f"S{seq % 100}"), published_us=now_us + seq, bridged_us=now_us + 2 * seq
        )
        for seq in range(1, count + 1)
    ]
    message = batches.encode(batches.Batch("one", 1, told))
    memory = Recent(count)
    memory.begin(EPOCH, complete_after=0)
    tracemalloc.start()
    try:
        for one in batches.decode(message).updates:
            memory.add(one)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 500 < taken / count < 800
