"""Keeps the promises of the outbox: publishes after the commit, and sweeps up what was not acknowledged.

1. `hand_over`, from any thread after a commit, publishes at once from memory; nothing is read back.
2. Whatever fails on that way (no connection, a full queue, a killed process) is left to `sweep`.
3. Every try carries the same ``Nats-Msg-Id``. A message may still be published twice, after the server has
   forgotten the id: whoever receives it must not mind.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

import nats.errors
from django.db import Error as DatabaseFailure
from django.utils import timezone
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from events import outbox
from events.connection import Connection, ServerTooOld, connect, ensure_stream
from events.outbox import Outgoing, Place
from events.streams import MSG_ID_HEADER, Stream
from observability import blocking
from observability.outages import Outage
from observability.per_loop import PerLoop
from observability.probes import NotThere
from observability.tasks import end

logger = logging.getLogger(__name__)

SWEEP_AFTER_S = 2.0
"""A message that has no place after this long is swept up; until then it is on its way."""

_MOST_WAITING = 10_000
_AT_ONCE = 256
_SWEPT_AT_ONCE = 500
_PUBLISH_TIMEOUT_S = 2.0


class Relay:
    """Publishes for one process, to one stream. Lives in one event loop."""

    def __init__(self, url: str, stream: Stream, *, name: str) -> None:
        self._url = url
        self._stream = stream
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Queue[Outgoing] = asyncio.Queue(_MOST_WAITING)
        self._connection: Connection | None = None
        self._epoch = ""
        self._running: list[asyncio.Task[None]] = []
        self._outage = Outage("NATS (outbox)")

    def start(self) -> None:
        """Connect, and publish what is handed over, in the background."""
        if not self._running:
            self._running = [self._loop.create_task(self._publish_for_ever())]

    async def stop(self) -> None:
        """Publish what was handed over, if that is quick; the rest is swept up by another process."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PUBLISH_TIMEOUT_S if self._connection else 0):
                await self._waiting.join()
        await end(self._running)
        if self._connection is not None:
            await self._connection.drain()

    def hand_over(self, outgoing: Outgoing) -> None:
        """Publish soon; from any thread, after the commit of the promise."""
        self._loop.call_soon_threadsafe(self._take, outgoing)

    def tell(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> None:
        """Publish on core NATS, from any thread, kept by nobody; lost where there is no connection."""
        asyncio.run_coroutine_threadsafe(self._tell(subject, payload, headers), self._loop)

    async def version(self) -> str:
        """The version of the server, once it has answered; raises `NotThere` while there is none."""
        if self._connection is None:
            raise NotThere("NATS was not reached yet")
        return await self._connection.version()

    def _take(self, outgoing: Outgoing) -> None:
        with contextlib.suppress(asyncio.QueueFull):  # the sweep has it
            self._waiting.put_nowait(outgoing)

    async def _tell(self, subject: str, payload: bytes, headers: dict[str, str] | None) -> None:
        if self._connection is not None and self._connection.client.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await self._connection.client.publish(subject, payload, headers=headers)

    async def _publish_for_ever(self) -> None:
        try:
            self._connection = await connect(self._url, name=self._name)
        except ServerTooOld as error:
            logger.error("%s", error)
            return
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            try:
                await self._publish(batch)
            except Exception:
                # One message must not end the way of all the others; the sweep tries again.
                logger.exception("could not publish %d messages of the outbox", len(batch))
            finally:
                for _ in batch:
                    self._waiting.task_done()

    async def sweep(self, now: datetime) -> int:
        """Publish what was promised and has no place yet; returns how many messages have one now.

        Raises Django's database errors.
        """
        if self._connection is None or not self._connection.client.is_connected:
            return 0
        before = now - timedelta(seconds=SWEEP_AFTER_S)
        owed = await blocking.run(outbox.take_unpublished, before=before, most=_SWEPT_AT_ONCE)
        return await self._publish(owed)

    async def _publish(self, batch: list[Outgoing]) -> int:
        if not batch or self._connection is None or not self._connection.client.is_connected:
            return 0
        jetstream = self._connection.jetstream
        try:
            if not self._epoch:
                self._epoch = await ensure_stream(jetstream, self._stream)
        except (TimeoutError, nats.errors.Error, JetStreamError) as error:
            self._outage.failed(error)
            return 0
        results = await asyncio.gather(*(self._publish_one(jetstream, one) for one in batch))
        places = [place for place in results if place is not None]
        if len(places) < len(batch):
            self._epoch = ""  # perhaps the stream is not there: it is made before the next try
        try:
            await blocking.run(outbox.mark_published, places, now=timezone.now())
        except (DatabaseFailure, TimeoutError) as error:
            logger.warning("published, but not noted as such: %s", type(error).__name__)
        return len(places)

    async def _publish_one(self, jetstream: JetStreamContext, outgoing: Outgoing) -> Place | None:
        """Where it is now, or None: tried again later."""
        epoch = self._epoch
        headers = {**outgoing.headers, MSG_ID_HEADER: outgoing.msg_id}
        try:
            ack = await jetstream.publish(
                outgoing.subject, outgoing.payload, timeout=_PUBLISH_TIMEOUT_S, headers=headers
            )
        except (TimeoutError, nats.errors.Error, JetStreamError) as error:
            self._outage.failed(error)
            return None
        self._outage.succeeded()
        return Place(outgoing.msg_id, epoch, ack.seq)


_relays: PerLoop[Relay] = PerLoop()


def start_current(url: str, stream: Stream, *, name: str) -> Relay:
    """The relay of the running event loop, started at the first call."""

    def start() -> Relay:
        relay = Relay(url, stream, name=name)
        relay.start()
        return relay

    return _relays.current(start)


async def stop_current() -> None:
    """Stop and forget the relay of the running event loop."""
    if (relay := _relays.take_away()) is not None:
        await relay.stop()


def hand_over(outgoing: Outgoing) -> None:
    """Publish soon, by the relay of this process; from any thread. Without a relay the sweep does it."""
    for relay in _relays.all():
        relay.hand_over(outgoing)
        return


def tell(subject: str, payload: bytes, *, headers: dict[str, str] | None = None) -> None:
    """Publish on core NATS, by the relay of this process; from any thread, kept by nobody."""
    for relay in _relays.all():
        relay.tell(subject, payload, headers)
        return


async def current_version() -> str:
    """The version of the NATS server that this process talks to; raises `NotThere` while it is away."""
    for relay in _relays.all():
        return await relay.version()
    raise NotThere("NATS was not asked for yet")
