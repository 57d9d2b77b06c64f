"""Publishes the replay to NATS at its pace, until it ends or is stopped. All waiting happens here.

What is published, and when, is decided in `pipeline.schedule`.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import nats.errors
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from events.connection import Connection, connect, ensure_stream
from events.prediction_updated import encode
from events.publishing import publish_once
from events.streams import PREDICTION_UPDATED, PREDICTIONS, REQUEST_ID_HEADER
from observability import backoff
from pipeline.schedule import Day, Pacer, event_of, stamp_after

logger = logging.getLogger(__name__)

_NAME = "replay"
# How long a day that is being published may take to be stored after a stop.
_GRACE_S = 2.0
# A day that takes longer makes us look whether the server came back without the stream.
_STREAM_DOUBT_S = 10.0


class ConnectionLost(Exception):
    """The NATS client gave the connection up for good."""


async def wait_for_stop(stop: asyncio.Event, timeout_s: float) -> None:
    """Return when `stop` is set or after `timeout_s`, whichever comes first."""
    if timeout_s > 0:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), timeout_s)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the replay gets time from and how it waits; tests bring their own."""

    monotonic_s: Callable[[], float] = time.monotonic
    utc_now: Callable[[], datetime] = lambda: datetime.now(UTC)
    wait: Callable[[asyncio.Event, float], Awaitable[None]] = wait_for_stop


class Publisher:
    """Publishes whole days; `days` counts those that the server has stored."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self.jetstream = jetstream
        self._run = uuid.uuid4().hex
        self.days = 0

    async def publish_day(self, day: Day, timestamp: datetime) -> None:
        """Publish the day's predictions side by side; return when the server has stored them all.

        Days do not overlap, so that a symbol's events are stored in the order of their timestamps
        even where one of them had to be sent twice.
        """
        while True:
            try:
                async with asyncio.timeout(_STREAM_DOUBT_S):
                    await self._publish_all(day, timestamp)
                break
            except TimeoutError:
                await ensure_predictions(self.jetstream)
        if self.days == 0:
            logger.info("published the first day, %s", day.date)
        self.days += 1

    async def _publish_all(self, day: Day, timestamp: datetime) -> None:
        events = [event_of(prediction, timestamp) for prediction in day.predictions()]
        await asyncio.gather(*(self._publish(event.symbol, encode(event)) for event in events))

    async def _publish(self, symbol: str, payload: bytes) -> None:
        # The same for every try at the same day, which makes a second try harmless.
        msg_id = f"replay-{self._run}-{self.days}-{symbol}"
        await publish_once(
            self.jetstream,
            PREDICTION_UPDATED,
            payload,
            msg_id=msg_id,
            headers={REQUEST_ID_HEADER: msg_id},
        )


async def replay(url: str, days: Iterable[Day], *, days_per_second: float, stop: asyncio.Event) -> int:
    """Publish `days` to the NATS server at `url` until they end or `stop` is set; return how many.

    Waits for a server that is not there. Raises `ConnectionLost`, or `connect`'s `ServerTooOld`.
    """
    opening = asyncio.create_task(connect(url, name=_NAME))
    try:
        await _wait_for_any(opening, stop)
    finally:
        await _end(opening)
    if opening.cancelled():
        return 0
    connection = opening.result()
    try:
        return await replay_over(connection, days, days_per_second=days_per_second, stop=stop)
    finally:
        await connection.drain()


async def replay_over(
    connection: Connection, days: Iterable[Day], *, days_per_second: float, stop: asyncio.Event
) -> int:
    """As `replay`, over a connection that is open and stays the caller's to close."""
    publisher = Publisher(connection.jetstream)
    publishing = asyncio.create_task(_publish_days(publisher, days, days_per_second, stop))
    try:
        await _wait_for_any(publishing, stop, connection.closed)
        if not connection.closed.is_set():
            await asyncio.wait([publishing], timeout=_GRACE_S)
    finally:
        await _end(publishing)
    error = None if publishing.cancelled() else publishing.exception()
    if connection.closed.is_set() or isinstance(error, nats.errors.ConnectionClosedError):
        raise ConnectionLost("the NATS connection was lost for good; look at the server's log") from error
    if error is not None:
        raise error
    return publisher.days


async def play(
    days: Iterable[Day],
    publish_day: Callable[[Day, datetime], Awaitable[None]],
    *,
    pacer: Pacer,
    clock: Clock,
    stop: asyncio.Event,
) -> None:
    """Call `publish_day` with each day when it is due and the moment, which always increases."""
    timestamp = None
    for day in days:
        await clock.wait(stop, pacer.wait_s(clock.monotonic_s()))
        if stop.is_set():
            return
        timestamp = stamp_after(timestamp, clock.utc_now())
        await publish_day(day, timestamp)


async def ensure_predictions(jetstream: JetStreamContext) -> str:
    """Make sure that the stream exists, trying until the server is able to; return its epoch."""
    attempt = 0
    while True:
        try:
            return await ensure_stream(jetstream, PREDICTIONS)
        except nats.errors.ConnectionClosedError:
            raise
        except (TimeoutError, nats.errors.Error, JetStreamError) as error:
            attempt += 1
            if attempt == 1:
                logger.warning(
                    "stream %s is not ready: %s: %s", PREDICTIONS.name, type(error).__name__, error
                )
            await asyncio.sleep(backoff.delay_s(attempt))


async def _publish_days(
    publisher: Publisher, days: Iterable[Day], days_per_second: float, stop: asyncio.Event
) -> None:
    await ensure_predictions(publisher.jetstream)
    clock = Clock()
    pacer = Pacer(days_per_second, now_s=clock.monotonic_s())
    await play(days, publisher.publish_day, pacer=pacer, clock=clock, stop=stop)


async def _wait_for_any(work: asyncio.Task[Any], *events: asyncio.Event) -> None:
    """Return when `work` is done or one of `events` is set."""
    waiters = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait([work, *waiters], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()


async def _end(work: asyncio.Task[Any]) -> None:
    """Cancel `work` if it still runs, and wait for it; what it raised stays in the task."""
    work.cancel()
    await asyncio.wait([work])
