"""A pipeline that publishes without a pause and repeats what was not taken, and a socket that follows it."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from events import connection, publishing, streams
from tests.faults.followers import Follower
from tests.stack import Stack, event

SYMBOLS = ("FEEDA", "FEEDB", "FEEDC")
_PAUSE_S = 0.1
_TAKEN_WITHIN_S = 60.0


class Pipeline:
    """Publishes over a connection of its own, which no fault but one of NATS itself touches.

    `taken` are the prices, each of which was published once, that JetStream has acknowledged.
    """

    def __init__(self, stack: Stack, prices: Iterator[int], *, has_to_ping: bool) -> None:
        self._stack = stack
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._enough, self._all_taken, self._over = (threading.Event() for _ in range(3))
        self._prices = prices
        self.first_price = float(next(prices))
        self.follower = Follower(stack, SYMBOLS[0], asks_again=True, ping_s=2.0 if has_to_ping else 20.0)
        self.taken: dict[str, list[float]] = {symbol: [] for symbol in SYMBOLS}

    def publish_once(self, symbol: str, *, hours_ago: float) -> None:
        """An old prediction."""
        made_at = datetime.now(UTC) - timedelta(hours=hours_ago)
        self._stack.publish(event(symbol, timestamp=made_at.isoformat()))

    def __enter__(self) -> Pipeline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._over.set()
        self._thread.join(timeout=180)

    def stop_publishing(self) -> None:
        """Publish no more, and wait until what was published is taken; the socket follows on."""
        self._enough.set()
        self._all_taken.wait(timeout=2 * _TAKEN_WITHIN_S)

    async def _run(self) -> None:
        opened = await connection.connect(self._stack.nats.url, name="pipeline")
        await connection.ensure_stream(opened.jetstream, streams.PREDICTIONS)
        following = asyncio.create_task(self.follower.follow())
        unacknowledged: set[asyncio.Task[None]] = set()
        try:
            for symbol in itertools.cycle(SYMBOLS):
                task = asyncio.create_task(self._publish(opened, symbol))
                unacknowledged.add(task)
                task.add_done_callback(unacknowledged.discard)
                await asyncio.sleep(_PAUSE_S)
                if self._enough.is_set():
                    break
            if unacknowledged:
                await asyncio.wait(unacknowledged, timeout=_TAKEN_WITHIN_S)
            self._all_taken.set()
            await asyncio.to_thread(self._over.wait)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await opened.drain()

    async def _publish(self, opened: connection.Connection, symbol: str) -> None:
        price = float(next(self._prices))
        data = json.dumps(event(symbol, predicted_price=price)).encode()
        msg_id = uuid.uuid4().hex
        await publishing.publish_once(opened.jetstream, streams.PREDICTION_UPDATED, data, msg_id=msg_id)
        self.taken[symbol].append(price)
