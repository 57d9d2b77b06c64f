"""Sockets that nobody uses are closed, and at the end all of them, one after the other."""

from __future__ import annotations

import asyncio
import random

import pytest

from realtime import housekeeping
from realtime.hub import Hub
from realtime.protocol.limits import IDLE_S
from realtime.terms import PLAIN
from tests.realtime.peers import ManualAlarms, Reader


class House:
    """A hub in the test's time with sockets."""

    def __init__(self, sockets: int) -> None:
        self.hub = Hub(memory=10)
        self.alarms = ManualAlarms()
        self.hub.alarms = self.alarms
        self.readers = [Reader(self.alarms, name=str(number)) for number in range(sockets)]
        for reader in self.readers:
            self.hub.add(reader.connection)

    @property
    def closed(self) -> list[bool]:
        """Which sockets are."""
        return [reader.wire.closed_with is not None for reader in self.readers]


async def test_a_socket_that_asks_for_nothing_for_five_minutes_is_closed_with_a_reason() -> None:
    house = House(1)
    house.alarms.advance(IDLE_S - 1)
    housekeeping.close_idle(house.hub, now=house.alarms.now())
    assert house.closed == [False]
    house.alarms.advance(1)
    housekeeping.close_idle(house.hub, now=house.alarms.now())
    [reader] = house.readers
    assert reader.wire.closed_with == (4408, "IDLE")
    assert reader.frames[0]["code"] == "IDLE"
    # Its consumer removes it; until then it is not closed again.
    housekeeping.close_idle(house.hub, now=house.alarms.now() + IDLE_S)
    assert len(reader.frames) == 1


async def test_who_subscribes_or_watches_or_says_something_is_not_idle() -> None:
    house = House(4)
    subscribed, watching, talking, idle = (reader.connection for reader in house.readers)
    house.hub.subscribe(subscribed, ["AAPL"], PLAIN)
    house.hub.watching.watch(watching, "computation", "job")
    house.alarms.advance(IDLE_S)
    talking.heard_at = house.alarms.now() - 1
    housekeeping.close_idle(house.hub, now=house.alarms.now())
    assert house.closed == [False, False, False, True]
    house.hub.unsubscribe(subscribed, ["AAPL"])
    house.hub.watching.remove(watching)
    house.alarms.advance(IDLE_S)
    housekeeping.close_idle(house.hub, now=house.alarms.now())
    assert house.closed == [True] * 4
    assert idle.closed


async def test_the_hub_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_LOOK_EVERY_S", 0.0)
    house = House(2)
    looking = asyncio.create_task(housekeeping.close_idle_for_ever(house.hub))
    try:
        house.readers[0].connection.heard_at -= IDLE_S
        await house.readers[0].until(lambda: house.closed[0])
        assert house.closed == [True, False]
        house.alarms.advance(IDLE_S)
        await house.readers[1].until(lambda: house.closed[1])
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses of a drain, none of which is waited for."""
    taken: list[float] = []

    async def pause(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr("realtime.housekeeping.asyncio.sleep", pause)
    return taken


@pytest.mark.parametrize(
    ("sockets", "within_s", "lasts_s"),
    [(0, 8.0, 0.0), (1, 8.0, 0.0), (15, 8.0, 0.0), (100, 8.0, 0.1), (300, 0.2, 0.2), (300, 0.0, 0.0)],
)
async def test_every_socket_is_closed_with_a_restart_a_thousand_a_second_or_as_fast_as_it_must(
    pauses: list[float], sockets: int, within_s: float, lasts_s: float
) -> None:
    house = House(sockets)
    await housekeeping.drain(house.hub, within_s=within_s)
    assert [reader.wire.closed_with for reader in house.readers] == [(1012, "")] * sockets
    assert sum(pauses) == pytest.approx(lasts_s, abs=0.021)


async def test_who_is_not_closed_yet_is_served_and_those_who_are_closed_first_are_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_then: list[int] = []
    first_closed: set[int] = set()
    house = House(100)

    async def pause(seconds: float) -> None:
        open_then.append(house.closed.count(False))
        first_closed.update(number for number, is_closed in enumerate(house.closed) if is_closed)

    monkeypatch.setattr("realtime.housekeeping.asyncio.sleep", pause)
    random.seed(7)
    await housekeeping.drain(house.hub, within_s=8.0)
    assert open_then == [80, 60, 40, 20]
    assert house.closed.count(False) == 0
    assert first_closed != set(range(80))


async def test_a_socket_that_has_gone_meanwhile_is_no_failure(pauses: list[float]) -> None:
    house = House(3)
    house.readers[1].connection.on_lost()
    await housekeeping.drain(house.hub, within_s=1.0)
    assert house.closed == [True, False, True]
