"""One timer for all sleepers: each is woken at its time or soon after, once, and the earliest wish counts."""

from __future__ import annotations

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime import alarms as alarms_module
from realtime.alarms import NEVER, Alarms
from tests.realtime.peers import START_S, ManualAlarms

TICK_S = 0.003


class Sleeper:
    """Keeps when it was woken."""

    def __init__(self) -> None:
        self.wakes_at = NEVER
        self.woken: list[float] = []

    def wake(self, now: float) -> None:
        """It is time."""
        self.woken.append(now)


@pytest.fixture
def alarms() -> ManualAlarms:
    """The time."""
    return ManualAlarms()


def in_s(seconds: float) -> float:
    """A time from the start."""
    return START_S + seconds


def test_a_sleeper_is_woken_once_at_its_time_or_a_tick_later(alarms: ManualAlarms) -> None:
    sleeper = Sleeper()
    alarms.set(sleeper, in_s(1))
    assert sleeper.wakes_at == in_s(1)
    alarms.advance(1)
    assert sleeper.woken == []
    alarms.advance(TICK_S)
    assert [now - in_s(1) <= TICK_S for now in sleeper.woken] == [True]
    assert sleeper.wakes_at == NEVER
    alarms.advance(100)
    assert len(sleeper.woken) == 1


def test_the_earliest_wish_counts_and_a_later_one_is_none(alarms: ManualAlarms) -> None:
    sleeper = Sleeper()
    for seconds in (5, 9, 2, 2, 3):
        alarms.set(sleeper, in_s(seconds))
    alarms.advance(2 + TICK_S)
    assert len(sleeper.woken) == 1
    alarms.set(sleeper, in_s(7))
    alarms.advance(4)
    assert len(sleeper.woken) == 1
    alarms.advance(2)
    assert len(sleeper.woken) == 2
    alarms.advance(100)
    assert len(sleeper.woken) == 2


def test_all_sleepers_share_one_timer(alarms: ManualAlarms) -> None:
    sleepers = [Sleeper() for _ in range(100)]
    for place, sleeper in enumerate(sleepers):
        alarms.set(sleeper, in_s(1 + (place * 7 % 100) / 10))
        assert len(alarms.clock.waiting) == 1
    alarms.advance(1.05)
    assert sum(len(sleeper.woken) for sleeper in sleepers) == 1
    assert len(alarms.clock.waiting) == 1
    alarms.advance(20)
    assert [len(sleeper.woken) for sleeper in sleepers] == [1] * 100
    assert alarms.clock.waiting == []


def test_what_is_due_already_is_woken_with_the_next_tick(alarms: ManualAlarms) -> None:
    sleeper = Sleeper()
    alarms.set(sleeper, in_s(-5))
    assert sleeper.woken == []
    alarms.advance(TICK_S)
    assert len(sleeper.woken) == 1


class Restless(Sleeper):
    """Wants to be woken again, so and so many times."""

    def __init__(self, alarms: Alarms, again_in_s: float, times: int) -> None:
        super().__init__()
        self._alarms = alarms
        self._again_in_s = again_in_s
        self._times = times

    def wake(self, now: float) -> None:
        """It is time, and will be."""
        super().wake(now)
        if len(self.woken) < self._times:
            self._alarms.set(self, now + self._again_in_s)


@pytest.mark.parametrize("again_in_s", [0.0, 0.001, 0.5])
def test_a_sleeper_may_set_its_next_alarm_while_it_is_woken(alarms: ManualAlarms, again_in_s: float) -> None:
    restless, other = Restless(alarms, again_in_s, 5), Sleeper()
    alarms.set(restless, in_s(1))
    alarms.set(other, in_s(1.001))
    alarms.advance(5)
    assert (len(restless.woken), len(other.woken)) == (5, 1)
    assert all(
        later - earlier >= again_in_s
        for earlier, later in zip(restless.woken, restless.woken[1:], strict=False)
    )


class Failing(Sleeper):
    """Cannot be woken."""

    def wake(self, now: float) -> None:
        """It is time, in vain."""
        raise ZeroDivisionError


def test_a_sleeper_that_fails_keeps_nobody_asleep(
    alarms: ManualAlarms, caplog: pytest.LogCaptureFixture
) -> None:
    sleepers = [Sleeper(), Failing(), Sleeper()]
    for sleeper in sleepers:
        alarms.set(sleeper, in_s(1))
    alarms.advance(2)
    assert [len(sleeper.woken) for sleeper in sleepers] == [1, 0, 1]
    assert "a socket could not be woken" in caplog.text


def test_nobody_is_woken_after_the_stop(alarms: ManualAlarms) -> None:
    alarms.stop()
    sleeper = Sleeper()
    alarms.set(sleeper, in_s(1))
    alarms.stop()
    alarms.advance(5)
    assert sleeper.woken == []


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.floats(min_value=-1, max_value=5), st.floats(min_value=0, max_value=2)
        ),
        max_size=40,
    )
)
def test_whatever_is_wished_each_is_woken_at_the_earliest_of_its_wishes(
    wishes: list[tuple[int, float, float]],
) -> None:
    alarms, sleepers = ManualAlarms(), [Sleeper() for _ in range(4)]
    due = [NEVER] * 4
    woken = [0] * 4
    for which, in_seconds, pause in wishes:
        at = alarms.now() + in_seconds
        alarms.set(sleepers[which], at)
        due[which] = min(due[which], at)
        assert sleepers[which].wakes_at == due[which]
        alarms.advance(pause)
        for place, sleeper in enumerate(sleepers):
            if len(sleeper.woken) > woken[place]:
                assert len(sleeper.woken) == woken[place] + 1
                assert due[place] <= sleeper.woken[-1]
                woken[place], due[place] = len(sleeper.woken), NEVER
            else:
                assert due[place] + TICK_S > alarms.now()


class Waker(Sleeper):
    """Says that it was woken."""

    def __init__(self) -> None:
        super().__init__()
        self.rang = asyncio.Event()

    def wake(self, now: float) -> None:
        """It is time."""
        super().wake(now)
        self.rang.set()


async def test_the_loop_of_a_process_wakes_in_its_own_time() -> None:
    alarms, first, second = Alarms(), Waker(), Waker()
    started = asyncio.get_running_loop().time()
    alarms.set(second, alarms.now() + 0.02)
    alarms.set(first, alarms.now() + 0.001)
    async with asyncio.timeout(10):
        await first.rang.wait()
        await second.rang.wait()
    assert started < first.woken[0] < second.woken[0] <= alarms.now()
    alarms.set(first, alarms.now() + 1000)
    alarms.stop()


def test_what_else_waits_has_its_turn_while_many_are_woken() -> None:
    class Slow(Sleeper):
        """Takes a millisecond."""

        def wake(self, now: float) -> None:
            time.sleep(0.001)
            super().wake(now)

    async def run() -> tuple[int, int]:
        alarms, sleepers, turns = Alarms(), [Slow() for _ in range(100)], 0
        for sleeper in sleepers:
            alarms.set(sleeper, alarms.now())
        while not all(sleeper.woken for sleeper in sleepers):
            await asyncio.sleep(0)
            turns += any(sleeper.woken for sleeper in sleepers)
        return turns, sum(len(sleeper.woken) for sleeper in sleepers)

    turns, woken = asyncio.run(run())
    assert woken == 100
    assert turns >= 100 / (1000 * alarms_module._SLICE_S + 1) - 1
