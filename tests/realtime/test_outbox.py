"""An outbox never grows beyond its capacity, drops the oldest update first, and says how many."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from realtime.outbox import Outbox


def drain(outbox: Outbox) -> list[str]:
    """Everything that waits, in the order it is sent."""
    frames = []
    while (frame := outbox.take()) is not None:
        frames.append(frame)
    return frames


def filled(capacity: int, updates: int) -> Outbox:
    """An outbox that was given numbered updates."""
    outbox = Outbox(capacity)
    for number in range(updates):
        outbox.put_update(str(number))
    return outbox


def test_an_empty_outbox_gives_nothing() -> None:
    outbox = Outbox(3)
    assert outbox.take() is None
    assert (len(outbox), outbox.take_dropped(), outbox.overflowing) == (0, 0, False)


def test_updates_leave_in_the_order_they_came() -> None:
    assert drain(filled(3, 3)) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("updates", "kept", "dropped"), [(2, ["0", "1"], 0), (3, ["0", "1", "2"], 0), (5, ["2", "3", "4"], 2)]
)
def test_beyond_the_capacity_the_oldest_update_goes(updates: int, kept: list[str], dropped: int) -> None:
    outbox = filled(3, updates)
    assert len(outbox) == len(kept)
    assert outbox.take_dropped() == dropped
    assert drain(outbox) == kept


def test_an_outbox_for_one_update_keeps_the_newest() -> None:
    outbox = filled(1, 1000)
    assert (outbox.take_dropped(), drain(outbox)) == (999, ["999"])


def test_what_was_dropped_is_told_once() -> None:
    outbox = filled(3, 5)
    assert [outbox.take_dropped(), outbox.take_dropped()] == [2, 0]
    outbox.put_update("5")
    assert outbox.take_dropped() == 1


def test_room_that_was_made_is_used_again() -> None:
    outbox = filled(3, 3)
    assert outbox.take() == "0"
    outbox.put_update("3")
    assert outbox.take_dropped() == 0
    assert drain(outbox) == ["1", "2", "3"]


def test_control_frames_go_before_updates_and_keep_their_order() -> None:
    outbox = filled(3, 2)
    outbox.put_control("pong")
    outbox.put_control("subscribed")
    assert len(outbox) == 4
    assert drain(outbox) == ["pong", "subscribed", "0", "1"]


def test_control_frames_are_not_dropped_for_updates_nor_updates_for_them() -> None:
    outbox = Outbox(2)
    for number in range(5):
        outbox.put_control(f"control {number}")
        outbox.put_update(f"update {number}")
    assert outbox.take_dropped() == 3
    assert drain(outbox) == [f"control {number}" for number in range(5)] + ["update 3", "update 4"]


def test_it_overflows_when_more_answers_than_its_capacity_wait() -> None:
    outbox = filled(2, 10)
    states = []
    for frame in ("1", "2", "3"):
        outbox.put_control(frame)
        states.append(outbox.overflowing)
    assert states == [False, False, True]
    outbox.take()
    assert not outbox.overflowing


class OutboxModel(RuleBasedStateMachine):
    """An outbox beside two plain lists that say what it must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = iter(range(10**9))
        self.control: list[str] = []
        self.updates: list[str] = []
        self.put = self.sent = self.dropped = self.told = 0

    @initialize(capacity=st.integers(min_value=1, max_value=4))
    def make(self, capacity: int) -> None:
        """Start with an empty one."""
        self.capacity = capacity
        self.outbox = Outbox(capacity)

    @rule(count=st.integers(min_value=1, max_value=3))
    def put_updates(self, count: int) -> None:
        """Queue some updates."""
        for _ in range(count):
            frame = f"update {next(self.numbers)}"
            self.outbox.put_update(frame)
            self.updates.append(frame)
            self.put += 1
        surplus = max(0, len(self.updates) - self.capacity)
        del self.updates[:surplus]
        self.dropped += surplus

    @rule()
    def put_control(self) -> None:
        """Queue an answer."""
        frame = f"control {next(self.numbers)}"
        self.outbox.put_control(frame)
        self.control.append(frame)

    @rule()
    def take(self) -> None:
        """Send the next frame."""
        waiting = self.control or self.updates
        expected = waiting.pop(0) if waiting else None
        self.sent += expected is not None and expected.startswith("update")
        assert self.outbox.take() == expected

    @rule()
    def take_dropped(self) -> None:
        """Warn of what was dropped."""
        self.told += self.outbox.take_dropped()
        assert self.told == self.dropped

    @invariant()
    def holds_what_the_lists_hold(self) -> None:
        """Nothing is lost without being counted."""
        assert len(self.outbox) == len(self.control) + len(self.updates)
        assert len(self.updates) <= self.capacity
        assert self.outbox.overflowing == (len(self.control) > self.capacity)
        assert self.put == self.sent + self.dropped + len(self.updates)


TestOutboxModel = OutboxModel.TestCase
TestOutboxModel.settings = settings(max_examples=30, stateful_step_count=30)
