"""The bridge's first freight, predictions, and the channel layer. How it travels: `realtime.courier`.

Predictions go to the record, to Redis and to every hub; explanations to their jobs, to Redis and to every
hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from channels.layers import get_channel_layer
from django.db import Error as DatabaseFailure
from redis.exceptions import RedisError

from events import prediction_updated, streams
from events.prediction_updated import PayloadRefused
from events.pulling import Pulled
from observability import blocking, metrics
from observability.outages import Outage
from observability.retries import until_it_works
from predictions import documents, ingest
from predictions.documents import PredictionDocument
from predictions.newest import NewestUnavailable
from predictions.record import last_place
from realtime import batches
from realtime.batches import Batch, Place
from realtime.courier import InThread, Recorded

DURABLE = "gateway-bridge"
_BEAT_S = 1.0
# A hub that loses batches knows of it within a second, which is fewer than these.
_LATELY = 100


class Layer:
    """The channel layer as the bridge uses it: every group message reaches it, however long Redis is away."""

    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._outage = Outage("Redis (channel layer)")

    async def send(self, group: str, message: dict[str, Any]) -> None:
        """Send `message`, waiting for Redis as long as it takes."""
        await until_it_works(
            lambda: self._layer.group_send(group, message), RedisError, OSError, outage=self._outage
        )

    async def try_to_send(self, group: str, message: dict[str, Any]) -> None:
        """Send `message` if Redis is there; whoever waits has logged the outage."""
        with contextlib.suppress(RedisError, OSError):
            await self._layer.group_send(group, message)


@dataclass(frozen=True, slots=True)
class Published:
    """A prediction, and when its message was stored: microseconds since 1970."""

    document: PredictionDocument
    published_us: int


class Predictions:
    """``event.prediction.updated``: into the record, then newest value and channel layer."""

    stream = streams.PREDICTIONS
    durable = DURABLE

    def __init__(self, layer: Layer, *, symbol_pattern: re.Pattern[str]) -> None:
        self._layer = layer
        self._symbol_pattern = symbol_pattern
        self._id = uuid.uuid4().hex
        self._batches_told = 0
        # The furthest place that was told; what was recorded before the start may have been.
        self._told_until: Place | None = None
        # Numbers of batches that were late, and the lowest place in each.
        self._late: deque[tuple[int, Place]] = deque(maxlen=_LATELY)

    def decode(self, pulled: Pulled) -> Published:
        """The document of a message that fits; raises `PayloadRefused`."""
        if pulled.deliveries > 1:
            metrics.bridge_redeliveries.inc()
        try:
            event = prediction_updated.decode(pulled.message.data, symbol_pattern=self._symbol_pattern)
            prediction_updated.check_times(event, published_at=pulled.published_at)
        except PayloadRefused:
            metrics.bridge_events.labels("buried").inc()
            raise
        document = documents.from_event(event, seq=pulled.seq, epoch=pulled.epoch)
        return Published(document, pulled.published_us)

    def record(self, batch: Sequence[Published]) -> Recorded[Published]:
        """Append to the record; what is to be told is everything but repetitions and refusals."""
        if self._told_until is None:
            self._told_until = last_place()
        recorded = ingest.record_batch([published.document for published in batch])
        told = [published for published, own in zip(batch, recorded.own, strict=True) if own]
        metrics.bridge_events.labels("stored").inc(len(told))
        metrics.bridge_events.labels("buried").inc(len(recorded.refused))
        metrics.bridge_events.labels("repeated").inc(len(batch) - len(told) - len(recorded.refused))
        return Recorded(told, recorded.refused)

    async def tell(self, told: Sequence[Published], in_thread: InThread) -> None:
        """The newest of each symbol to Redis, the batch to every hub."""
        newest = [published.document for published in told]
        await until_it_works(  # the store logs its own outages
            lambda: in_thread(ingest.publish_newest, newest), NewestUnavailable
        )
        bridged_us = time.time_ns() // 1000
        updates = [
            batches.update_of(one.document, published_us=one.published_us, bridged_us=bridged_us)
            for one in told
        ]
        number, places = self._batches_told + 1, [one.place for one in updates]
        batch = Batch(self._id, number, updates, self._told_until, self._late_from())
        await self._layer.send(batches.GROUP, batches.encode(batch))
        self._batches_told = number
        if self._told_until is not None and min(places) <= self._told_until:
            self._late.append((number, min(places)))
        self._told_until = max(self._told_until or places[0], *places)
        metrics.bridge_batches.inc()
        metrics.bridge_batch_events.observe(len(told))
        for one in told:
            metrics.bridge_lag.observe(max(0, bridged_us - one.published_us) / 1e6)

    async def beat(self) -> None:
        """Repeat the number of the last batch every second: a hub that has lost it hears of it.

        A hub that has lost what a forerunner told asks how far that went: before this bridge knows, it says
        nothing.
        """
        found = await until_it_works(lambda: blocking.run(last_place), DatabaseFailure, TimeoutError)
        if self._told_until is None:
            self._told_until = found
        while True:
            await asyncio.sleep(_BEAT_S)
            beat = Batch(self._id, self._batches_told, [], self._told_until, self._late_from())
            await self._layer.try_to_send(batches.GROUP, batches.encode(beat))

    def _late_from(self) -> Place | None:
        lately = (place for number, place in self._late if number > self._batches_told - _LATELY)
        return min(lately, default=None)
