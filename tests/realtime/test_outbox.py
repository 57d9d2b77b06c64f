"""An outbox is bounded, drops the oldest live update first, says how many, and owes before it is paced."""

from __future__ import annotations

import pytest

from realtime.batches import Update
from realtime.outbox import Item, Lane, Outbox, Snapshot
from realtime.protocol.messages import Gap
from tests.realtime.peers import EPOCH, update, updates


def drain(outbox: Outbox) -> list[int]:
    """The numbers of everything that waits in order; a gap counts as the negative of its end."""
    taken = []
    while (item := outbox.take()) is not None:
        taken.append(number_of(item))
    return taken


def number_of(item: Item) -> int:
    """What tells an item from others."""
    if isinstance(item, Gap):
        return -item.to
    return item.update.seq if isinstance(item, Snapshot) else item.seq


def gap(before: int, symbol: str = "AAPL") -> Gap:
    """A gap that ends before an update."""
    return Gap(symbol, 0, before, EPOCH)


def filled(capacity: int, count: int) -> Outbox:
    """An outbox that was given updates 1 to `count`."""
    outbox = Outbox(capacity)
    for one in updates(*range(1, count + 1)):
        outbox.put(one)
    return outbox


def test_an_empty_outbox_gives_nothing() -> None:
    outbox = Outbox(3)
    assert outbox.take() is None
    assert outbox.oldest is None
    assert (len(outbox), outbox.take_dropped(), outbox.overflowing, outbox.owed) == (0, 0, False, 0)


@pytest.mark.parametrize(("count", "kept", "dropped"), [(2, [1, 2], 0), (3, [1, 2, 3], 0), (5, [3, 4, 5], 2)])
def test_updates_leave_in_order_and_beyond_the_capacity_the_oldest_goes(
    count: int, kept: list[int], dropped: int
) -> None:
    outbox = filled(3, count)
    assert len(outbox) == len(kept)
    assert outbox.take_dropped() == dropped
    assert drain(outbox) == kept


def test_an_outbox_for_one_update_keeps_the_newest() -> None:
    outbox = filled(1, 1000)
    assert (outbox.take_dropped(), drain(outbox)) == (999, [1000])


def test_what_was_dropped_is_told_once() -> None:
    outbox = filled(3, 5)
    assert [outbox.take_dropped(), outbox.take_dropped()] == [2, 0]
    outbox.put(update(6))
    assert outbox.take_dropped() == 1


def test_room_that_was_made_is_used_again() -> None:
    outbox = filled(3, 3)
    assert outbox.take() == update(1)
    outbox.put(update(4))
    assert (outbox.take_dropped(), drain(outbox)) == (0, [2, 3, 4])


def test_a_gap_that_is_dropped_is_told_as_one_update_at_least() -> None:
    outbox = Outbox(2)
    for item in (gap(5), update(5), update(6)):
        outbox.put(item)
    assert (outbox.take_dropped(), drain(outbox)) == (1, [5, 6])


def test_answers_have_a_queue_of_their_own_that_overflows_beyond_the_capacity() -> None:
    outbox = filled(2, 10)
    states = []
    for payload in (b"1", b"2", b"3"):
        outbox.control.append(payload)
        states.append(outbox.overflowing)
    assert states == [False, False, True]
    assert len(outbox) == 2
    outbox.control.popleft()
    assert not outbox.overflowing


# What is owed


def test_what_is_owed_goes_before_all_that_is_live_and_in_the_order_it_was_owed() -> None:
    outbox = filled(5, 2)
    outbox.owe([update(11), update(12)])
    outbox.put(update(3))
    outbox.owe([Snapshot(update(13))])
    assert (outbox.owed, len(outbox)) == (3, 6)
    assert drain(outbox) == [11, 12, 13, 1, 2, 3]
    assert outbox.owed == 0


def test_what_is_owed_is_not_dropped_for_live_updates_and_takes_no_room_of_theirs() -> None:
    outbox = Outbox(2)
    outbox.owe(updates(11, 12, 13))
    for one in updates(1, 2, 3, 4):
        outbox.put(one)
    assert outbox.take_dropped() == 2
    assert drain(outbox) == [11, 12, 13, 3, 4]


def test_what_is_owed_is_bounded_by_twice_the_capacity_whatever_is_live() -> None:
    outbox = filled(2, 2)
    outbox.owe(updates(11, 12, 13))
    outbox.owe(updates(14, 15))
    assert (outbox.owed, outbox.take_dropped()) == (4, 1)
    assert drain(outbox) == [12, 13, 14, 15, 1, 2]


def test_owing_nothing_changes_nothing() -> None:
    outbox = filled(2, 2)
    outbox.owe([])
    assert (outbox.owed, drain(outbox)) == (0, [1, 2])


# What waits for an interval


def take(lane: Lane, most: int = 100) -> list[int]:
    """The numbers of what a lane gives at once."""
    return [number_of(one) for one in lane.take(most, object())]


def test_a_lane_belongs_to_one_mode_and_interval() -> None:
    outbox = Outbox(3)
    lane = outbox.lane("batch", 0.25)
    assert outbox.lane("batch", 0.25) is lane
    assert outbox.lane("latest", 0.25) is not lane
    assert outbox.lane("batch", 0.5) is not lane
    assert (lane.interval_s, lane.due, len(lane)) == (0.25, 0, 0)


def test_lanes_of_terms_that_were_given_up_do_not_pile_up() -> None:
    outbox = Outbox(3)
    outbox.put_batched(outbox.lane("batch", 60.0), update(1))
    for milliseconds in range(10, 10_000):
        outbox.lane("latest", milliseconds / 1000)
    assert len(outbox.lanes) <= 201
    assert take(outbox.lane("batch", 60.0)) == [1]


def test_a_batch_drops_its_own_oldest_and_counts_it() -> None:
    outbox = filled(3, 3)
    lane = outbox.lane("batch", 0.25)
    outbox.put_batched(lane, gap(4))
    for one in updates(4, 5, 6, 7):
        outbox.put_batched(lane, one)
    assert (len(outbox), outbox.take_dropped()) == (6, 2)
    assert take(lane) == [5, 6, 7]
    assert drain(outbox) == [1, 2, 3]


def test_a_batch_ends_before_a_gap_and_the_gap_comes_alone() -> None:
    outbox = Outbox(9)
    lane = outbox.lane("batch", 0.25)
    for item in (gap(1), update(1), update(2), gap(4), gap(5), update(5)):
        outbox.put_batched(lane, item)
    assert [take(lane) for _ in range(6)] == [[-1], [1, 2], [-4], [-5], [5], []]


def test_a_frame_takes_so_many_at_most_and_leaves_the_rest() -> None:
    outbox = Outbox(9)
    lane = outbox.lane("batch", 0.25)
    for one in updates(1, 2, 3, 4, 5):
        outbox.put_batched(lane, one)
    assert [take(lane, 2) for _ in range(4)] == [[1, 2], [3, 4], [5], []]


class Newest:
    """A source as an audience is one."""

    def __init__(self, last: Update | None) -> None:
        self.last = last
        self.takers: list[object] = []

    def take_last(self, taker: object) -> Update | None:
        """The last update."""
        self.takers.append(taker)
        return self.last


def test_marks_are_asked_for_when_they_are_taken_and_once() -> None:
    lane, source, taker = Lane(0.25), Newest(update(1)), object()
    lane.marked["AAPL"] = source
    lane.marked["MSFT"] = update(7, "MSFT")
    source.last = update(9)
    assert len(lane) == 2
    assert [one for one in lane.take(100, taker) if isinstance(one, Update)] == [update(9), update(7, "MSFT")]
    assert source.takers == [taker]
    assert (len(lane), lane.take(100, taker)) == (0, [])


def test_a_source_that_has_nothing_gives_nothing() -> None:
    lane = Lane(0.25)
    lane.marked["AAPL"] = Newest(None)
    assert (lane.take(100, object()), len(lane)) == ([], 0)


def test_marks_beyond_what_a_frame_takes_wait_for_the_next() -> None:
    lane = Lane(0.25)
    lane.marked.update({f"S{seq}": update(seq, f"S{seq}") for seq in (1, 2, 3)})
    assert [take(lane, 2), take(lane, 2)] == [[1, 2], [3]]


# What is not wanted any more, and readers that take nothing


def test_what_waits_of_a_symbol_is_forgotten_wherever_it_waits() -> None:
    outbox = Outbox(9)
    batch, latest = outbox.lane("batch", 0.25), outbox.lane("latest", 0.25)
    outbox.owe([update(11), update(12, "MSFT"), gap(13), Snapshot(update(14, "MSFT"))])
    for one in (update(1), update(2, "MSFT")):
        outbox.put(one)
        outbox.put_batched(batch, one)
        latest.marked[one.symbol] = one
    outbox.forget(["AAPL", "XOM"])
    assert (outbox.owed, outbox.take_dropped()) == (2, 0)
    assert drain(outbox) == [12, 14, 2]
    assert (take(batch), take(latest)) == ([2], [2])


def test_a_reader_that_takes_nothing_is_left_the_newest_of_each_symbol() -> None:
    outbox = Outbox(9)
    lane = outbox.lane("batch", 0.25)
    outbox.owe([update(11), Snapshot(update(12, "MSFT")), update(13)])
    for item in (gap(14), update(14), update(15, "IBM"), update(16)):
        outbox.put(item)
        outbox.put_batched(lane, item)
    outbox.conflate()
    # Of seven that wait in order three stay, of four in the lane two.
    assert (outbox.owed, outbox.take_dropped()) == (1, 4 + 2)
    assert drain(outbox) == [12, 15, 16]
    assert take(lane) == [15, 16]


def test_what_is_left_of_what_was_owed_is_owed_and_the_rest_is_not() -> None:
    outbox = Outbox(2)
    outbox.owe(updates(1, 2, 3))
    outbox.put(update(4, "MSFT"))
    outbox.conflate()
    assert (outbox.owed, outbox.take_dropped()) == (1, 2)
    for one in updates(5, 6, symbol="IBM"):
        outbox.put(one)
    assert (outbox.take_dropped(), drain(outbox)) == (1, [3, 5, 6])


def test_a_second_conflation_changes_nothing() -> None:
    outbox = filled(9, 5)
    outbox.conflate()
    assert outbox.take_dropped() == 4
    outbox.conflate()
    assert (outbox.take_dropped(), drain(outbox)) == (0, [5])


def test_the_oldest_is_an_update_and_no_newest_value() -> None:
    outbox = Outbox(9)
    lane = outbox.lane("batch", 0.25)
    outbox.lane("latest", 0.25).marked["AAPL"] = update(1)
    outbox.owe([Snapshot(update(2)), gap(3)])
    oldest = [outbox.oldest]
    outbox.put_batched(lane, update(4))
    oldest.append(outbox.oldest)
    outbox.put(update(5))
    oldest.append(outbox.oldest)
    assert oldest == [None, update(4), update(5)]


def test_all_batches_together_hold_no_more_than_the_capacity_and_the_longest_gives_way() -> None:
    outbox = Outbox(10)
    few, many = outbox.lane("batch", 1.0), outbox.lane("batch", 2.0)
    for seq in range(1, 4):
        outbox.put_batched(few, update(seq))
    for seq in range(4, 24):
        outbox.put_batched(many, update(seq, "MSFT"))
    assert (len(few), len(many), outbox.dropped) == (3, 7, 13)
    assert [one.seq for one in many.take(100, None) if isinstance(one, Update)] == list(range(17, 24))


def test_answers_are_bounded_in_bytes_as_well() -> None:
    outbox = Outbox(1_000)
    states = []
    for payload in (b"x" * (1 << 20), b"y"):
        outbox.put_control(payload)
        states.append(outbox.overflowing)
    assert outbox.take_control()[:1] == b"x"
    assert [*states, outbox.overflowing] == [False, True, False]


def test_what_waits_in_order_of_symbols_that_change_their_terms_is_owed_before_what_waits_in_lanes() -> None:
    outbox = Outbox(10)
    for seq in (1, 3):
        outbox.put(update(seq))
    outbox.put(update(2, "MSFT"))
    outbox.put_batched(outbox.lane("batch", 1.0), update(4))
    assert outbox.hasten(["AAPL"], None)
    assert outbox.owed == 3
    taken = [outbox.take() for _ in range(4)]
    assert [(one.symbol, one.seq) for one in taken if isinstance(one, Update)] == [
        ("AAPL", 1),
        ("AAPL", 3),
        ("AAPL", 4),
        ("MSFT", 2),
    ]
