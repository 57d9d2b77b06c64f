"""What recall reads from a real database and a real Redis, which the stores in memory answer alike."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import redis

from observability import blocking
from predictions import ingest, reads, record
from predictions.documents import PredictionDocument
from realtime.hub import Hub
from realtime.protocol.limits import MAX_RESUMED
from realtime.protocol.requests import Since
from realtime.terms import PLAIN
from tests.realtime import world
from tests.realtime.peers import EPOCH, LATER_EPOCH, ManualAlarms, Reader, document

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SYMBOLS = ["AAPL", "MSFT", "IBM", "XOM"]


def make_rows(seed: int) -> list[PredictionDocument]:
    """Rows of two lives of a stream, with holes and out of order."""
    chance = random.Random(seed)
    places = [(EPOCH, seq) for seq in range(3, 40)] + [(LATER_EPOCH, seq) for seq in range(1, 20)]
    kept = chance.sample(places, 40)
    return [
        document(seq + (100 if epoch == LATER_EPOCH else 0), chance.choice(SYMBOLS[:3]), epoch=epoch)
        for epoch, seq in kept
    ]


def store(rows: Sequence[PredictionDocument]) -> None:
    """As the bridge does it."""
    ingest.record_batch(rows)
    ingest.publish_newest(rows)


@pytest.mark.parametrize("seed", range(3))
def test_the_stores_in_memory_answer_as_the_real_ones(redis_client: redis.Redis, seed: int) -> None:
    rows = make_rows(seed)
    store(rows)
    chance = random.Random(seed)
    for _ in range(20):
        epoch = chance.choice([EPOCH, LATER_EPOCH, "18f3c"])
        seq, limit = chance.randrange(45), chance.choice([1, 5, 100])
        seen = {symbol: chance.randrange(130) for symbol in chance.sample(SYMBOLS, 2)}
        assert record.missed(epoch, seen, limit=limit) == world.missed(rows, epoch, seen, limit=limit)
        assert record.reaches_back(epoch, seq) == world.reaches_back(rows, epoch, seq)
    for use_redis in (True, False):
        if not use_redis:
            redis_client.flushdb()
        found = reads.newest_predictions(SYMBOLS)
        assert {symbol: one.order for symbol, one in found.items()} == {
            symbol: one.order for symbol, one in world.newest(rows, SYMBOLS).items()
        }


async def resume(hub: Hub, *symbols: str, since: Since | None = None) -> Reader:
    """A socket that has just subscribed."""
    reader = Reader(hub.alarms)
    read = await hub.recall.read(symbols, since=since, snapshot=True)
    owed = hub.recall.owed(symbols, read, since=since, snapshot=True)
    hub.subscribe(reader.connection, symbols, PLAIN, owed)
    return reader


async def test_a_process_that_has_just_started_serves_all_that_was_missed_and_newest_values(
    redis_client: redis.Redis,
) -> None:
    rows = [document(seq, SYMBOLS[seq % 3]) for seq in range(1, 31)]
    await blocking.run(store, rows)
    hub = Hub(memory=10)
    hub.alarms = ManualAlarms()
    everything = await resume(hub, *SYMBOLS, since=Since(EPOCH, 0))
    assert everything.story == list(range(1, 31))
    own = await resume(hub, *SYMBOLS, since=Since(EPOCH, 30, {"AAPL": 25, "MSFT": 28, "XOM": 0}))
    assert own.story == [27, 30]
    newest = await resume(hub, *SYMBOLS)
    assert newest.story == [{30}, {28}, {29}]
    elsewhere = await resume(hub, "AAPL", since=Since("18f39", 5))
    assert elsewhere.story == [(5, 30), {30}]


async def test_more_than_may_be_resumed_is_not_read_to_its_end(redis_client: redis.Redis) -> None:
    rows = [document(seq) for seq in range(1, MAX_RESUMED + 500)]
    await blocking.run(store, rows)
    hub = Hub(memory=10)
    hub.alarms = ManualAlarms()
    read = await hub.recall.read(["AAPL"], since=Since(EPOCH, 1), snapshot=True)
    assert read.missed is not None
    assert len(read.missed) == MAX_RESUMED + 1
    reader = await resume(hub, "AAPL", since=Since(EPOCH, 1))
    assert reader.story == [(1, MAX_RESUMED + 499), {MAX_RESUMED + 499}]
