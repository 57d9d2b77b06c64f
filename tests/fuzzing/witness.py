"""A pipeline and a client that keep to the rules beside the fuzzing: what is published is heard, in order."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from events import connection, publishing, streams
from events.connection import Connection
from observability.tasks import end
from tests.stack import Stack, event

_EVERY_S = 0.2
_WITHIN_S = 60.0


class Witness:
    """Publishes predictions of `symbol`, told apart by their price, and hears of them on a WebSocket."""

    def __init__(self, symbol: str, opened: Connection, socket: ClientConnection) -> None:
        self._symbol = symbol
        self._connection = opened
        self._socket = socket
        self._changed = asyncio.Event()
        self.published: list[float] = []
        self.heard: list[float] = []

    async def begin(self) -> None:
        """Subscribe."""
        await self._receive("welcome")
        request = {"action": "subscribe", "symbols": [self._symbol], "snapshot": False}
        await self._socket.send(json.dumps(request))
        await self._receive("subscribed")

    async def publish_on(self) -> None:
        """Publish for ever."""
        for number in itertools.count(1):
            payload = json.dumps(event(self._symbol, predicted_price=float(number))).encode()
            self.published.append(float(number))
            await publishing.publish_once(
                self._connection.jetstream,
                streams.PREDICTION_UPDATED,
                payload,
                msg_id=f"{self._symbol}-{number}",
            )
            await asyncio.sleep(_EVERY_S)

    async def hear_on(self) -> None:
        """Hear for ever."""
        while True:
            update = await self._receive("prediction_update")
            self.heard.append(update["predicted_price"])
            self._changed.set()

    async def check(self) -> None:
        """Wait until all that was published is heard; AssertionError unless each once, and in order."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_WITHIN_S):
                while len(self.heard) < len(self.published):
                    self._changed.clear()
                    await self._changed.wait()
        assert self.heard == self.published
        assert self.published

    async def _receive(self, kind: str) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self._socket.recv())
        assert frame["type"] == kind, frame
        return frame


@contextlib.asynccontextmanager
async def witnessing(stack: Stack, symbol: str) -> AsyncIterator[Witness]:
    """A witness from here on; what it has seen is checked at the end, also in the record."""
    opened = await connection.connect(stack.nats.url, name="witness")
    try:
        async with connect(stack.socket_url, additional_headers={"X-API-Key": stack.key}) as socket:
            witness = Witness(symbol, opened, socket)
            await witness.begin()
            publishing_on = asyncio.create_task(witness.publish_on())
            hearing_on = asyncio.create_task(witness.hear_on())
            try:
                yield witness
                await end([publishing_on])
                if hearing_on.done():
                    hearing_on.result()
                await witness.check()
            finally:
                await end([publishing_on, hearing_on])
    finally:
        await opened.drain()
    assert stack.count_rows(symbol) == len(witness.published)
