"""Publishes what was made at the pace of those who consume it, and asks the server how far they are."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable

from nats.aio.msg import Msg
from nats.js.api import StreamState
from nats.js.errors import NotFoundError

from events import connection, streams
from events.connection import Connection
from events.streams import Stream
from explanations.worker import DURABLE as WORKER
from realtime.bridge import DURABLE as BRIDGE
from realtime.explained import Explanations
from tests.fuzzing.ledger import Ledger
from tests.fuzzing.payloads import Published

_WITHIN_S = 60.0
_AT_ONCE = 500
_MOST_WAITING = 3_000
"""Messages that wait for a consumer: what else is published comes behind them."""
_CONSUMERS = (
    (streams.PREDICTIONS, BRIDGE),
    (streams.EXPLANATIONS, Explanations.durable),
    (streams.JOBS, WORKER),
)


class Courier:
    """Publishes without asking for an acknowledgement each: the server's counts tell what it has taken."""

    def __init__(self, opened: Connection) -> None:
        self._connection = opened
        self.sent: Counter[str] = Counter()
        self.ledger = Ledger()
        self.heard = Ledger()
        """What anybody has said of ends, with what was sent."""
        self._heard_one = asyncio.Event()

    async def listen(self) -> None:
        """Hear from here on of every end of a job."""
        for subject in (streams.EXPLANATION_COMPLETED, streams.EXPLANATION_FAILED):
            await self._connection.client.subscribe(subject, cb=self._on_end)

    async def run(self, make: Callable[[], Published], until: int) -> None:
        """Go on until so many were published, then wait until each is acknowledged."""
        client = self._connection.client
        while self.sent.total() < until:
            for _ in range(min(_AT_ONCE, until - self.sent.total())):
                made = make()
                await client.publish(made.subject, made.payload, headers=made.headers or None)
                self.sent[made.subject] += 1
                self.ledger.note(made.subject, made.payload)
            await client.flush()
            await self._until_waiting(_MOST_WAITING)
        await self._until_waiting(0)

    async def tell_to_leave(self, payload: bytes) -> None:
        """Tell the workers of a cancellation, of whatever it is."""
        await self._connection.client.publish(streams.EXPLAIN_CANCELLED, payload)

    async def state_of(self, stream: Stream) -> StreamState:
        """What `stream` holds, and how much it ever took: `last_seq`."""
        return (await self._connection.jetstream.stream_info(stream.name)).state

    async def until_orders_have_ended(self) -> None:
        """Wait until an end of each order that fits was told."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                while missing := self.ledger.ordered - self.heard.ended:
                    self._heard_one.clear()
                    await self._heard_one.wait()
        except TimeoutError:
            raise AssertionError(f"no end of {len(missing)} orders, such as {min(missing)}") from None

    async def _on_end(self, message: Msg) -> None:
        self.heard.note(message.subject, message.data)
        self._heard_one.set()

    async def _until_waiting(self, most: int) -> None:
        """Wait until all consumers together have no more than `most` before them; they must come on."""
        loop = asyncio.get_running_loop()
        least, deadline = await self._waiting(), loop.time() + _WITHIN_S
        while least > most:
            await asyncio.sleep(0.05)
            waiting = await self._waiting()
            if waiting < least:
                least, deadline = waiting, loop.time() + _WITHIN_S
            assert loop.time() < deadline, f"{waiting} messages wait, and nobody takes them"

    async def _waiting(self) -> int:
        total = 0
        for stream, durable in _CONSUMERS:
            info = await self._connection.jetstream.consumer_info(stream.name, durable)
            total += (info.num_pending or 0) + (info.num_ack_pending or 0)
        return total


@contextlib.asynccontextmanager
async def carrying(url: str) -> AsyncIterator[Courier]:
    """A courier at the server of `url`, once all consumers are there."""
    opened = await connection.connect(url, name="fuzzing")
    courier = Courier(opened)
    try:
        async with asyncio.timeout(_WITHIN_S):
            while True:
                with contextlib.suppress(NotFoundError):
                    await courier._waiting()
                    break
                await asyncio.sleep(0.05)
        await courier.listen()
        yield courier
    finally:
        await opened.drain()
