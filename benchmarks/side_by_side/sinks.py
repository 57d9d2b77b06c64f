"""Where the feeder puts updates: the gateway's channel layer, the peers' Redis channels, or JetStream.

What the gateway's message looks like is known to `Layer.publish` alone.
"""

from __future__ import annotations

import asyncio
import functools
import os
import statistics
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from redis.asyncio import Redis

from events import connection, prediction_updated, streams
from events.prediction_updated import PredictionUpdated
from predictions import documents
from predictions.documents import PredictionDocument

PEER_CHANNEL = "predictions."
EPOCH = "1a1fd1987a2"


class Sink(Protocol):
    """One way into the contenders."""

    async def open(self) -> int:
        """Connect; returns the `seq` that the first update will have."""

    async def count_listeners(self) -> int:
        """How many servers would get an update that is sent now."""

    async def publish(self, symbols: Sequence[str], first: int) -> None:
        """Send a batch: an update for each of `symbols`, numbered from `first`."""

    async def settle(self) -> float | None:
        """Wait until all is taken; the median of the ms that it took since the last call, if known."""


def _event(symbol: str, number: int) -> PredictionUpdated:
    """A prediction of about 300 bytes of JSON."""
    return PredictionUpdated(
        symbol=symbol,
        timestamp=datetime.now(UTC),
        current_price=187.25,
        predicted_price=round(180 + number % 1000 / 100, 2),
        confidence=0.62,
        horizon="1d",
        model_version="benchmark-1",
    )


def _documents(symbols: Sequence[str], first: int) -> list[PredictionDocument]:
    return [
        documents.from_event(_event(symbol, seq), seq=seq, epoch=EPOCH)
        for seq, symbol in enumerate(symbols, first)
    ]


class Layer:
    """The message a bridge sends to every hub."""

    def __init__(self) -> None:
        self._redis = Redis.from_url(os.environ["REDIS_URL"])
        self._number = 0

    async def open(self) -> int:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway_project.settings")
        from channels.layers import get_channel_layer

        self._layer: Any = get_channel_layer()
        # A hub takes a bridge that it has never heard for one whose batches it has missed, and re-reads the
        # newest values. A beat while nobody is subscribed makes us known.
        await self.publish([], 1)
        return 1

    async def count_listeners(self) -> int:
        from realtime import batches

        await self.publish([], 1)
        found = await self._redis.pubsub_channels(f"*__group__{batches.GROUP}")
        return sum(count for _, count in await self._redis.pubsub_numsub(*found)) if found else 0

    async def publish(self, symbols: Sequence[str], first: int) -> None:
        from realtime import batches

        self._number += bool(symbols)
        now_us = time.time_ns() // 1000
        updates = [
            batches.update_of(document, published_us=now_us, bridged_us=now_us)
            for document in _documents(symbols, first)
        ]
        batch = batches.Batch("benchmark", self._number, updates)
        await self._layer.group_send(batches.GROUP, batches.encode(batch))

    async def settle(self) -> None:
        """Redis has taken everything when `publish` returns."""


class Channels:
    """A Redis channel for each symbol; the message is the finished frame, so that peers only relay it."""

    def __init__(self) -> None:
        self._redis = Redis.from_url(os.environ["REDIS_URL"])

    async def open(self) -> int:
        return 1

    async def count_listeners(self) -> int:
        return int(await self._redis.pubsub_numpat())

    async def publish(self, symbols: Sequence[str], first: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for document in _documents(symbols, first):
            frame = b'{"type":"prediction_update",' + documents.encode(document)[1:]
            pipeline.publish(PEER_CHANNEL + document.symbol, frame)
        await pipeline.execute()

    async def settle(self) -> None:
        """Redis has taken everything when `publish` returns."""


class Stream:
    """JetStream, as a pipeline publishes to it: many messages under way, each acknowledged when stored."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[Any]] = set()
        self._expected = 0
        self._strays = 0
        self._took_ms: list[float] = []

    async def open(self) -> int:
        self._connection = await connection.connect(os.environ["NATS_URL"], name="benchmark")
        await connection.ensure_stream(self._connection.jetstream, streams.PREDICTIONS)
        info = await self._connection.jetstream.stream_info(streams.PREDICTIONS.name)
        self._expected = info.state.last_seq + 1
        return self._expected

    async def count_listeners(self) -> int:
        info = await self._connection.jetstream.consumers_info(streams.PREDICTIONS.name)
        return sum(consumer.num_waiting or 0 for consumer in info)

    async def publish(self, symbols: Sequence[str], first: int) -> None:
        for number, symbol in enumerate(symbols, first):
            begun = time.monotonic()
            acknowledged = await self._connection.jetstream.publish_async(
                streams.PREDICTION_UPDATED,
                prediction_updated.encode(_event(symbol, number)),
                headers={streams.MSG_ID_HEADER: uuid.uuid4().hex},
            )
            self._waiting.add(acknowledged)
            acknowledged.add_done_callback(functools.partial(self._on_acknowledged, begun))

    def _on_acknowledged(self, begun: float, acknowledged: asyncio.Future[Any]) -> None:
        self._waiting.discard(acknowledged)
        self._took_ms.append(1000 * (time.monotonic() - begun))
        # One connection publishes, so the stream numbers the messages as we do; else no delay is right.
        self._strays += acknowledged.result().seq != self._expected
        self._expected += 1

    async def settle(self) -> float | None:
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=30)
        if self._waiting or self._strays:
            raise RuntimeError(f"{len(self._waiting)} not acknowledged, {self._strays} numbered otherwise")
        took_ms, self._took_ms = self._took_ms, []
        return statistics.median(took_ms)


SINKS: dict[str, type[Layer | Channels | Stream]] = {"layer": Layer, "channels": Channels, "stream": Stream}
