"""One hub per process: one membership in the channel layer's group, fan-out to sockets in memory.

The way of an update: channel layer -> `deliver` -> one encoded frame -> every connection of its symbol.
The hub drops what is older than it has told, notices lost batches by their numbers, and then heals from
the newest values.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from observability import blocking
from observability.outages import Outage
from observability.per_loop import PerLoop
from observability.retries import until_it_works
from predictions import reads
from predictions.symbols import MAX_SYMBOLS
from realtime import batches, news, protocol
from realtime.batches import Batch, Update
from realtime.connection import Connection
from realtime.watching import Watching

logger = logging.getLogger(__name__)

_MOST_BRIDGES = 64
_SETTLE_S = 0.25


class Hub:
    """The subscriptions of this process. Lives in one event loop; nothing here waits for a socket."""

    def __init__(self) -> None:
        self._subscribers: dict[str, set[Connection]] = {}
        # The newest (epoch, seq) told of each symbol that somebody here is subscribed to.
        self._told: dict[str, tuple[str, int]] = {}
        # The last batch number of each bridge heard.
        self._heard: dict[str, int] = {}
        self._receiving: asyncio.Task[None] | None = None
        self._healing: asyncio.Task[None] | None = None
        self._has_hole = False
        self.watching = Watching()
        self.joined = asyncio.Event()

    def start(self) -> None:
        """Join the group in the background; a second call does nothing."""
        if self._receiving is None:
            self._receiving = asyncio.get_running_loop().create_task(self._receive())

    async def stop(self) -> None:
        """Leave the group."""
        for task in (self._receiving, self._healing):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        self._receiving = self._healing = None

    def subscribe(self, connection: Connection, symbols: Iterable[str]) -> None:
        """From now on `connection` gets the updates of `symbols`."""
        for symbol in symbols:
            self._subscribers.setdefault(symbol, set()).add(connection)
            connection.symbols.add(symbol)

    def unsubscribe(self, connection: Connection, symbols: Iterable[str]) -> list[str]:
        """End subscriptions; returns those that existed."""
        ended = [symbol for symbol in dict.fromkeys(symbols) if symbol in connection.symbols]
        self.watching.unfollow(connection, ended)
        for symbol in ended:
            connection.forget(symbol)
            others = self._subscribers[symbol]
            others.discard(connection)
            if not others:
                del self._subscribers[symbol]
                self._told.pop(symbol, None)
        return ended

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self.watching.remove(connection)
        self.unsubscribe(connection, list(connection.symbols))

    async def send_snapshots(self, connection: Connection, symbols: list[str]) -> None:
        """Send the newest value of each of `symbols`, to which `connection` is subscribed already.

        Subscribing first and reading afterwards leaves no hole between snapshot and live updates; the
        connection's own memory keeps an update from being told twice or after a newer one.
        Raises `predictions.reads.NoStoreReachable`.
        """
        connection.pending.update(dict.fromkeys(symbols))
        try:
            found = await blocking.run(reads.newest_predictions, symbols)
        finally:
            overtaken = {symbol: connection.pending.pop(symbol, None) for symbol in symbols}
        for symbol, document in found.items():
            if symbol in connection.symbols:
                connection.snapshot(batches.update_of(document), overtaken[symbol])

    def deliver(self, batch: Batch) -> None:
        """Tell every subscriber what is new in `batch`."""
        if self._is_hole(batch):
            self._start_healing()
        for update in batch.updates:
            subscribers = self._subscribers.get(update.symbol)
            if subscribers and self._is_news(update):
                self._tell(update, subscribers)

    def _tell(self, update: Update, subscribers: set[Connection]) -> None:
        self._told[update.symbol] = (update.epoch, update.seq)
        frame = protocol.prediction_update(update.document)
        for connection in subscribers:
            connection.update(update, frame)

    def _is_news(self, update: Update) -> bool:
        """Several bridges may interleave: what is older than what was told already is dropped."""
        told = self._told.get(update.symbol)
        return told is None or told[0] != update.epoch or update.seq > told[1]

    def _is_hole(self, batch: Batch) -> bool:
        """True when a batch must have been lost; also for a bridge never heard, whose forerunner may have
        died with its last batch untold."""
        last = self._heard.pop(batch.bridge, None)
        if last is None and len(self._heard) >= _MOST_BRIDGES:
            self._heard.pop(next(iter(self._heard)))
        self._heard[batch.bridge] = max(batch.number, last or 0)
        return last is None or batch.follows > last

    def _start_healing(self) -> None:
        """Heal in the background; a hole that is noticed meanwhile is healed after it."""
        self._has_hole = bool(self._subscribers)
        if self._has_hole and (self._healing is None or self._healing.done()):
            self._healing = asyncio.get_running_loop().create_task(self._heal_until_whole())

    async def _heal_until_whole(self) -> None:
        while self._has_hole:
            self._has_hole = False
            await self._heal()

    async def _heal(self) -> None:
        """After a lost batch: tell the newest value of every symbol that has moved on meanwhile."""
        symbols = list(self._subscribers)
        logger.warning("a batch was lost or missed; re-reading %d symbols", len(symbols))
        found: list[Update] = []
        for start in range(0, len(symbols), MAX_SYMBOLS):
            found += await self._read_newest(symbols[start : start + MAX_SYMBOLS])
        # The bridge writes Redis before it tells: what was read may be on its way to us. Telling it now
        # would skip the updates before it, which are on their way too.
        await asyncio.sleep(_SETTLE_S)
        for update in found:
            self._tell_healed(update)

    async def _read_newest(self, symbols: list[str]) -> list[Update]:
        found = await until_it_works(
            lambda: blocking.run(reads.newest_predictions, symbols),
            reads.NoStoreReachable,
            TimeoutError,
        )
        return [batches.update_of(document) for document in found.values()]

    def _tell_healed(self, update: Update) -> None:
        subscribers = self._subscribers.get(update.symbol)
        if not subscribers or not self._is_news(update):
            return
        told = self._told.get(update.symbol)
        if told is not None and told[0] == update.epoch:
            gap = protocol.gap(update.symbol, told[1], update.seq)
            for connection in subscribers:
                connection.gap(gap)
        self._tell(update, subscribers)

    async def _receive(self) -> None:
        """Join the group, then receive for ever: the layer itself reconnects and joins again."""
        layer = get_channel_layer()
        channel = await self._join(layer)
        while True:
            try:
                self._take(await layer.receive(channel))
            except Exception:
                # One message must not end the live flow of every socket in this process.
                logger.exception("ignoring a message on the channel layer")

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == news.TYPE:
            self.watching.deliver(news.decode(message))
        else:
            self.deliver(batches.decode(message))

    async def _join(self, layer: Any) -> str:
        """Become a member of the group, waiting for Redis as long as it takes; returns our channel."""
        channel = await until_it_works(
            lambda: _enter_group(layer),
            RedisError,
            OSError,
            outage=Outage("Redis (channel layer)"),
            most_s=2.0,
        )
        self.joined.set()
        return channel


async def _enter_group(layer: Any) -> str:
    try:
        channel: str = await layer.new_channel()
        for group in (batches.GROUP, news.GROUP):
            await layer.group_add(group, channel)
    except (RedisError, OSError):
        # The layer keeps the channel of a failed try; the hub is its only user here.
        with contextlib.suppress(RedisError, OSError):
            await layer.flush()
        raise
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


def _start() -> Hub:
    hub = Hub()
    hub.start()
    return hub
