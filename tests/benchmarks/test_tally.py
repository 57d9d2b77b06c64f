"""What the load client counts as delivered, lost and repeated."""

from __future__ import annotations

from array import array

import pytest

from benchmarks.sockets.tally import Tally, count_expected

SENT_NS = memoryview(array("q", [0, *(1_000_000 * seq for seq in range(1, 100))]))


def test_updates_in_order_are_delivered_with_their_delay() -> None:
    tally, newest = Tally(SENT_NS, 10, begun_ns=0), dict[int, int]()
    for seq in (3, 13, 23):
        tally.take(newest, seq, SENT_NS[seq] + 2_000_000)

    assert (tally.delivered, tally.skipped, tally.repeated) == (3, 0, 0)
    assert tally.delays.share_ms(0.5) == pytest.approx(2.0, abs=0.011)


def test_a_hole_is_skipped_and_an_old_update_is_a_repetition() -> None:
    tally, newest = Tally(SENT_NS, 10, begun_ns=0), dict[int, int]()
    for seq in (3, 33, 23, 33, 43):
        tally.take(newest, seq, SENT_NS[seq])

    assert (tally.delivered, tally.skipped, tally.repeated) == (3, 2, 2)


def test_symbols_are_told_apart() -> None:
    tally, newest = Tally(SENT_NS, 10, begun_ns=0), dict[int, int]()
    for seq in (13, 4, 14, 23):
        tally.take(newest, seq, SENT_NS[seq])

    assert (tally.delivered, tally.skipped, tally.repeated) == (4, 0, 0)


def test_what_was_sent_before_the_phase_stands_for_nothing_in_it() -> None:
    tally, newest = Tally(SENT_NS, 10, begun_ns=SENT_NS[20]), dict[int, int]()
    for seq in (13, 23, 43, 13):
        tally.take(newest, seq, SENT_NS[43])

    assert (tally.delivered, tally.skipped, tally.repeated) == (2, 1, 1)


def test_the_expected_deliveries_are_those_that_counting_one_by_one_finds() -> None:
    places = [0, 0, 1, 2, 2, 2, 4]
    for first, last in ((1, 1), (1, 5), (3, 17), (10, 9), (4, 44)):
        counted = sum(seq % 5 == place for seq in range(first, last + 1) for place in places)
        assert count_expected(first, last, places, 5) == counted
