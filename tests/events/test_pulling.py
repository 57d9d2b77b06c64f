"""What a pull consumer gives has a place and a time, and a life that ended is told from the present."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from events import connection, streams
from events.connection import Connection
from events.pulling import PullConsumer, Pulled

DEADLINE_S = 20


@pytest.fixture
async def opened(nats_url: str) -> AsyncIterator[Connection]:
    """A connection to a NATS with an empty stream of predictions."""
    made = await connection.connect(nats_url, name="tests")
    await connection.ensure_stream(made.jetstream, streams.PREDICTIONS)
    yield made
    await made.drain()


def make_consumer(opened: Connection) -> PullConsumer:
    """A consumer as the bridge has it."""
    return PullConsumer(
        opened, streams.PREDICTIONS, durable="tests", credit=100, ack_wait_s=5, max_ack_pending=1_000
    )


async def pull(consumer: PullConsumer, count: int) -> list[Pulled]:
    """The next `count` messages."""
    found: list[Pulled] = []
    async with asyncio.timeout(DEADLINE_S):
        while len(found) < count:
            found += await consumer.next_batch(most=count - len(found), linger_s=0.0)
    return found


async def test_messages_come_in_order_with_their_place_and_when_they_were_stored(opened: Connection) -> None:
    before_us = time.time_ns() // 1000
    for number in range(3):
        await opened.jetstream.publish(streams.PREDICTION_UPDATED, b"%d" % number)
    after_us = time.time_ns() // 1000
    consumer = make_consumer(opened)
    found = await pull(consumer, 3)
    await consumer.stop()
    assert [one.message.data for one in found] == [b"0", b"1", b"2"]
    assert [one.seq for one in found] == [1, 2, 3]
    assert len({one.epoch for one in found}) == 1
    assert [one.place for one in found] == [(found[0].epoch, seq) for seq in (1, 2, 3)]
    times = [one.published_us for one in found]
    # The server's clock is this machine's.
    assert times == sorted(times)
    assert before_us - 1_000 <= times[0] <= times[2] <= after_us + 1_000
    assert all(map(consumer.is_alive, found))


async def test_a_message_of_a_life_that_ended_is_told_from_the_present(opened: Connection) -> None:
    await opened.jetstream.publish(streams.PREDICTION_UPDATED, b"old")
    consumer = make_consumer(opened)
    [old] = await pull(consumer, 1)
    await opened.jetstream.delete_stream(streams.PREDICTIONS.name)
    await connection.ensure_stream(opened.jetstream, streams.PREDICTIONS)
    await opened.jetstream.publish(streams.PREDICTION_UPDATED, b"new")
    [new] = await pull(consumer, 1)
    await consumer.stop()
    assert (old.seq, new.seq) == (1, 1)
    assert old.place < new.place
    assert [consumer.is_alive(one) for one in (old, new)] == [False, True]
