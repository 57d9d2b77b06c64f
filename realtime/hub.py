"""One hub per process: one membership in the channel layer's group, fan-out to sockets in memory.

The way of an update: channel layer -> `take` -> the memory of recent updates, which tells what is news -> the
audience of its symbol -> every connection. A hub notices lost batches by their numbers and reads from the
record what was in them before it goes on, so that nothing is told out of order.

A little longer than most modules: what is told to whom, and in which order, is one decision over one state.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from observability import blocking, metrics
from observability.per_loop import PerLoop
from observability.retries import until_it_works
from observability.tasks import end
from predictions import reads
from predictions.symbols import MAX_SYMBOLS
from realtime import batches, healing, housekeeping, membership, news, presence
from realtime.alarms import Alarms
from realtime.audience import Audience
from realtime.batches import Batch, Place, Update
from realtime.board import Board
from realtime.connection import Connection
from realtime.heard import Heard
from realtime.lag import Lag
from realtime.protocol.messages import Gap
from realtime.recall import Owed, Recall
from realtime.recent import Arrival, Recent
from realtime.terms import Terms
from realtime.watching import Watching

logger = logging.getLogger(__name__)

_SETTLE_S = 0.25
_SILENT_AFTER_S = 3.0
_FILL_WITHIN_S = 3.0


class Hub:
    """The subscriptions of this process. Lives in one event loop; nothing here waits for a socket."""

    def __init__(self, *, memory: int | None = None) -> None:
        self.memory = memory or settings.GATEWAY.recent_updates
        self.alarms = Alarms()
        self.lag = Lag()
        self.recent = Recent(self.memory)
        self._heard = Heard()
        self.recall = Recall(self.recent, self._heard, is_current=self.is_current)
        self.board = Board(self.recent, is_current=self.is_current)
        self.watching = Watching()
        self.connections: dict[str, Connection] = {}
        self.dropped_by_those_gone = 0
        self.joined = asyncio.Event()
        self.filled = asyncio.Event()
        self._audiences: dict[str, Audience] = {}
        self._heard_at = float("-inf")
        self._tasks: list[asyncio.Task[None]] = []
        self._rereading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Join the group in the background; a second call does nothing."""
        if not self._tasks:
            loop = asyncio.get_running_loop()
            self._tasks = [
                loop.create_task(self._receive()),
                loop.create_task(housekeeping.close_idle_for_ever(self)),
            ]

    async def stop(self) -> None:
        """Leave the group."""
        await end(self._tasks)
        if self._rereading is not None:
            await end([self._rereading])
        self._tasks, self._rereading = [], None
        self.alarms.stop()

    async def until_filled(self) -> None:
        """Return when the memory of recent updates is ready, or could not be made ready in time."""
        if not self.filled.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FILL_WITHIN_S):
                    await self.filled.wait()

    def add(self, connection: Connection) -> None:
        """Keep account of a connection."""
        self.connections[connection.id] = connection

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        if self.connections.pop(connection.id, None) is not None:
            self.dropped_by_those_gone += connection.dropped
        self.watching.remove(connection)
        self.unsubscribe(connection, list(connection.symbols))

    def subscribe(
        self, connection: Connection, symbols: Sequence[str], terms: Terms, owed: Owed | None = None
    ) -> int:
        """From now on `connection` gets the updates of `symbols`, and at once what it is owed.

        What waits of them goes before that, unless it is part of what is owed; returns how many that were.
        """
        known = [symbol for symbol in symbols if symbol in connection.symbols]
        hastened = 0
        if owed is None:
            hastened = connection.hasten([one for one in known if connection.symbols[one] != terms])
        elif owed.is_resumed:
            connection.forget(known)
        else:
            hastened = connection.hasten(known)
        self._leave(connection, known)
        for symbol in symbols:
            audience = self._audiences.get(symbol)
            if audience is None:
                audience = self._audiences[symbol] = Audience()
            audience.add(connection, terms)
            connection.symbols[symbol] = terms
        if owed is not None:
            connection.owe(owed.items, terms)
            for symbol, what in owed.known.items():
                connection.knows(symbol, what)
        return hastened

    def unsubscribe(self, connection: Connection, symbols: Iterable[str]) -> list[str]:
        """End subscriptions; returns those that existed."""
        ended = [symbol for symbol in dict.fromkeys(symbols) if symbol in connection.symbols]
        self.watching.unfollow(connection, ended)
        self._leave(connection, ended)
        for symbol in ended:
            del connection.symbols[symbol]
        connection.forget(ended)
        return ended

    async def take(self, batch: Batch) -> None:
        """Tell every subscriber what is new in `batch`, and before it what was lost before it."""
        newest = self.recent.place
        missing_after = self._heard.hear(batch, newest=newest)
        if missing_after is None:
            self._tell(batch.updates)
        else:
            metrics.hub_gaps.inc()
            self._heard_at = float("-inf")
            missed = await healing.read_missed(missing_after, most=self.memory)
            if missed is None:
                self._tell_broken(batch, missing_after)
            else:
                self._tell(sorted([*batch.updates, *missed], key=lambda update: update.place))
                self._heard.whole_until(self.recent.place)
        self._heard_at = self.alarms.now()

    def count_subscriptions(self) -> int:
        """Symbols, summed over the connections."""
        return sum(audience.size for audience in self._audiences.values())

    def is_current(self) -> bool:
        """True while the live flow is whole: a bridge beats every second."""
        return self.alarms.now() - self._heard_at < _SILENT_AFTER_S

    def _tell(self, updates: Sequence[Update], *, is_live: bool = True) -> None:
        now, wall_us = self.alarms.now(), time.time_ns() // 1000
        for update in updates:
            missed_after = self.recent.missed_before(update, is_live=is_live)
            arrival = self.recent.add(update, is_live=is_live)
            audience = self._audiences.get(update.symbol)
            if audience is None or arrival is Arrival.KNOWN:
                continue
            if arrival is Arrival.LATE:
                # What is newer was told before it: it can be had by `since`.
                heard = self.recent.last_of(update.symbol) or 0
                audience.tell_late(update, self._gap_around(update), heard, now)
                continue
            if missed_after is not None:
                audience.tell_gap(Gap(update.symbol, missed_after, update.seq, update.epoch), now)
            written = audience.tell(update, now)
            if update.published_us is not None:
                self.lag.observe(wall_us - update.published_us, written)

    def _gap_around(self, update: Update) -> Gap:
        before, after = self.recent.neighbours(update)
        return Gap(update.symbol, before, after, update.epoch)

    def _tell_broken(self, batch: Batch, after: Place) -> None:
        """Something after that place is lost and cannot be read: say so to everyone whom it may concern."""
        logger.warning("updates were lost and cannot be read: telling gaps and newest values")
        self.recent.break_off(batch.told_until, after=after)
        self._tell_overtaken(after, batch.told_until)
        self._tell(batch.updates)
        self._reread([symbol for symbol in self._audiences if self.recent.may_have_moved(symbol)])

    def _tell_overtaken(self, after: Place, until: Place | None) -> None:
        """Where another bridge has told more meanwhile, what was lost lies before that."""
        now, epoch = self.alarms.now(), self.recent.epoch
        from_ = after[1] if after[0] == epoch else 0
        for symbol, audience in self._audiences.items():
            to = self.recent.last_of(symbol) or 0
            if until is not None and until[0] == epoch:
                to = min(to, until[1] + 1)
            if to > from_ + 1:
                audience.tell_gap(Gap(symbol, from_, to, epoch), now)

    def _tell_early_subscribers(self) -> None:
        """Who subscribed before there was a live flow may have missed anything up to the last update."""
        now = self.alarms.now()
        for symbol, audience in self._audiences.items():
            last = self.recent.last_update(symbol)
            if last is not None:
                audience.tell_gap(Gap(symbol, 0, last.seq, last.epoch), now)
                audience.tell(last, now)

    def _reread(self, symbols: list[str]) -> None:
        loop = asyncio.get_running_loop()
        if self._rereading is None or self._rereading.done():
            self._rereading = loop.create_task(self._tell_newest(symbols))
        else:
            before = self._rereading
            self._rereading = loop.create_task(self._tell_newest(symbols, before))

    async def _tell_newest(self, symbols: list[str], after: asyncio.Task[None] | None = None) -> None:
        """The newest values of `symbols`, from the stores, to those who are behind them."""
        if after is not None:
            try:
                await asyncio.wait([after])
            except asyncio.CancelledError:
                await end([after])
                raise
        found: list[Update] = []
        for start in range(0, len(symbols), MAX_SYMBOLS):
            found += await self._read_newest(symbols[start : start + MAX_SYMBOLS])
        # The bridge writes Redis before it tells: what was read may be on its way to us. Telling it now
        # would skip the updates before it, which are on their way too.
        await asyncio.sleep(_SETTLE_S)
        self._tell(sorted(found, key=lambda update: update.place), is_live=False)

    async def _read_newest(self, symbols: list[str]) -> list[Update]:
        found = await until_it_works(
            lambda: blocking.run(reads.newest_predictions, symbols), reads.NoStoreReachable, TimeoutError
        )
        return batches.updates_of(found.values())

    def _leave(self, connection: Connection, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            audience = self._audiences[symbol]
            audience.remove(connection)
            if not audience.size:
                del self._audiences[symbol]

    async def _receive(self) -> None:
        """Join the group, then receive for ever: the layer itself reconnects and joins again.

        What comes in meanwhile waits in the layer.
        """
        layer = get_channel_layer()
        channel = await self._join(layer)
        await healing.fill(self.recent, most=self.memory)
        self._tell_early_subscribers()
        self.filled.set()
        while True:
            try:
                message = await membership.hear(layer, channel)
                if message is None:
                    channel = await self._join(layer)
                else:
                    await self._take(message)
            except Exception:
                # One message must not end the live flow of every socket in this process.
                logger.exception("ignoring a message on the channel layer")

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == news.TYPE:
            self.watching.deliver(news.decode(message))
        elif message["type"] in presence.TYPES:
            presence.hear(self, message)
        else:
            await self.take(batches.decode(message))

    async def _join(self, layer: Any) -> str:
        channel = await membership.join(layer)
        self.joined.set()
        return channel


_hubs: PerLoop[Hub] = PerLoop()


def current() -> Hub:
    """The hub of the running event loop, started at first use (daphne has no lifespan to start it)."""
    return _hubs.current(_start)


async def stop_current() -> None:
    """Stop and forget the hub of the running event loop."""
    if (hub := _hubs.take_away()) is not None:
        await hub.stop()


async def drain_current(within_s: float) -> None:
    """Close the sockets of the running event loop with 1012, spread over at most `within_s` seconds."""
    if (hub := _hubs.existing()) is not None:
        await housekeeping.drain(hub, within_s=within_s)


def _start() -> Hub:
    hub = Hub()
    hub.start()
    return hub
