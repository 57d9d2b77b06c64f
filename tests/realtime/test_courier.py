"""What a courier does with messages that nobody can use; how it carries the others is for `tests/faults`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import pytest
from nats.aio.msg import Msg

from events import dead_letters, streams
from events.connection import Connection
from events.prediction_updated import PayloadRefused
from events.pulling import Pulled
from realtime import courier
from realtime.courier import Courier, InThread, Recorded

DEADLINE_S = 60.0


class Picky:
    """Takes even numbers alone, and refuses 8 once it is to be recorded."""

    stream = streams.PREDICTIONS
    durable = "picky"

    def decode(self, pulled: Pulled) -> int:
        """The number, if it is even."""
        if pulled.seq % 2:
            raise PayloadRefused(f"{pulled.seq} is odd")
        return pulled.seq

    def record(self, batch: Sequence[int]) -> Recorded[int]:
        """All but 8."""
        refused = {place: "it is 8" for place, number in enumerate(batch) if number == 8}
        return Recorded([number for number in batch if number != 8], refused)

    async def tell(self, told: Sequence[int], in_thread: InThread) -> None:
        """Nobody listens."""


def pulled(seq: int) -> Pulled:
    """Message `seq` of a stream."""
    return Pulled(Msg(_client=cast(Any, None), subject="s", data=b"%d" % seq), "e", seq, 0)


@pytest.fixture
async def carrying() -> AsyncIterator[Courier[int, int]]:
    """A courier that carries by hand, without a server."""
    made = Courier(cast(Connection, None), Picky(), batch_size=500, linger_s=0, ack_wait_s=10)
    yield made
    made._recording.shutdown()


async def test_what_is_refused_is_buried_side_by_side_and_the_rest_keeps_its_order(
    carrying: Courier[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each burial waits for the others: one after the other none would come to its end."""
    together = asyncio.Barrier(courier._BURIED_AT_ONCE)
    buried: dict[int, str] = {}

    async def bury(connection: Connection, one: Pulled, reason: str) -> None:
        await together.wait()
        buried[one.seq] = reason

    monkeypatch.setattr(dead_letters, "bury", bury)
    messages = [pulled(seq) for seq in range(4 * courier._BURIED_AT_ONCE)]
    async with asyncio.timeout(DEADLINE_S):
        fitting, kept = await carrying._decode(messages)
    assert buried == {seq: f"{seq} is odd" for seq in range(1, len(messages), 2)}
    assert fitting == [one.seq for one in kept] == list(range(0, len(messages), 2))


async def test_a_refusal_of_the_record_is_buried_with_its_own_message(
    carrying: Courier[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    buried: dict[int, str] = {}

    async def bury(connection: Connection, one: Pulled, reason: str) -> None:
        buried[one.seq] = reason

    monkeypatch.setattr(dead_letters, "bury", bury)
    messages = [pulled(seq) for seq in (4, 6, 8, 10)]
    assert await carrying._record([one.seq for one in messages], messages) == [4, 6, 10]
    assert buried == {8: "it is 8"}
