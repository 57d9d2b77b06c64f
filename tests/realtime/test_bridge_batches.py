"""What the bridge says of the batches before one: whoever misses some knows how far the hole goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
import redis
from django.conf import settings

from observability import blocking
from observability.tasks import end
from predictions import ingest
from predictions.documents import PredictionDocument
from realtime import batches, bridge
from realtime.batches import Batch
from realtime.bridge import Layer, Predictions, Published
from tests.realtime.peers import DEADLINE_S, EPOCH, document

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

R = TypeVar("R")


class Listening(Layer):
    """Keeps what it is to send."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Batch] = []
        self.was_sent = asyncio.Event()

    async def send(self, group: str, message: dict[str, Any]) -> None:
        """Keep the batch."""
        self.sent.append(batches.decode(message))
        self.was_sent.set()

    async def try_to_send(self, group: str, message: dict[str, Any]) -> None:
        """Keep the beat."""
        await self.send(group, message)


async def in_thread(function: Callable[..., R], *args: Any) -> R:
    """As the courier's telling stage."""
    return await blocking.run(function, *args)


async def carry(freight: Predictions, *documents: PredictionDocument) -> None:
    """Record and tell, as the courier does."""
    recorded = await blocking.run(freight.record, [Published(one, 0) for one in documents])
    await freight.tell(recorded.told, in_thread)


async def test_a_batch_tells_how_far_those_before_it_went(redis_client: redis.Redis) -> None:
    await blocking.run(ingest.record_batch, [document(7, "MSFT")])
    layer = Listening()
    freight = Predictions(layer, symbol_pattern=settings.GATEWAY.compiled_symbol_pattern)
    await carry(freight, document(8), document(12))
    # 9 was delivered late, and 8 once more.
    await carry(freight, document(9), document(8))
    await carry(freight, document(13))
    assert [(one.number, one.told_until) for one in layer.sent] == [
        (1, (EPOCH, 7)),  # a forerunner may have told all that was recorded
        (2, (EPOCH, 12)),
        (3, (EPOCH, 12)),
    ]
    # Who has lost the second has to look below 8.
    assert [one.late_from for one in layer.sent] == [None, None, (EPOCH, 8)]
    assert [[update.seq for update in one.updates] for one in layer.sent] == [[8, 12], [9, 8], [13]]


async def test_the_first_beat_tells_how_far_a_forerunner_may_have_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bridge, "_BEAT_S", 0.01)
    await blocking.run(ingest.record_batch, [document(7, "MSFT")])
    layer = Listening()
    beating = asyncio.create_task(
        Predictions(layer, symbol_pattern=settings.GATEWAY.compiled_symbol_pattern).beat()
    )
    async with asyncio.timeout(DEADLINE_S):
        await layer.was_sent.wait()
    await end([beating])
    assert layer.sent[0] == Batch(layer.sent[0].bridge, 0, [], (EPOCH, 7))
