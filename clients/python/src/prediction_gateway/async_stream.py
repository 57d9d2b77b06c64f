"""The stream for asyncio: an asynchronous iterator over a WebSocket that comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from prediction_gateway import sockets
from prediction_gateway.messages import Disconnected, Message, Update
from prediction_gateway.places import Position
from prediction_gateway.settings import Settings
from prediction_gateway.stream_state import StreamState


class AsyncStream:
    """Messages of the symbols that were asked for, until `aclose`; made by `AsyncClient.stream`.

    One task iterates; any task may close. After a drop the stream comes back where it was: what was missed
    comes in order, without a hole and without a repetition, or a `Gap` tells what may be missing. Raises
    `StreamClosedError` when the gateway closes it for good.
    """

    def __init__(self, settings: Settings, state: StreamState) -> None:
        self._settings = settings
        self._state = state
        self._closing = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._messages = self._run()

    @property
    def connected(self) -> bool:
        """True while the gateway is there."""
        return self._state.connected

    @property
    def positions(self) -> dict[str, Position]:
        """The last update of each symbol that was given."""
        return self._state.positions

    def __aiter__(self) -> AsyncIterator[Message]:
        return self

    async def __anext__(self) -> Message:
        return await anext(self._messages)

    async def updates(self) -> AsyncIterator[Update]:
        """The updates alone, for whom gaps and drops do not matter."""
        async for message in self:
            if isinstance(message, Update):
                yield message

    async def aclose(self) -> None:
        """End the stream; who iterates comes to the end. Doing it twice does no harm."""
        self._closing.set()
        if (socket := self._socket) is not None:
            await socket.close()
        with contextlib.suppress(RuntimeError):  # it runs: the task that iterates ends it
            await self._messages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self) -> AsyncGenerator[Message, None]:
        while not self._closing.is_set():
            try:
                async with contextlib.aclosing(self._follow()) as messages:
                    async for message in messages:
                        yield message
            except sockets.BROKEN as error:
                if self._closing.is_set():
                    return
                gone = self._gone(error)
            yield gone
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), gone.retry_in_s)

    async def _follow(self) -> AsyncGenerator[Message, None]:
        """The messages of one connection, which ends with one of `sockets.BROKEN`."""
        async with connect(self._settings.socket_url, **sockets.options(self._settings)) as socket:
            self._socket = socket
            try:
                if self._closing.is_set():  # it was closed while the connection came about
                    return
                with contextlib.suppress(
                    ConnectionClosed
                ):  # what came before the end says why: it is read first
                    for request in self._state.requests():
                        await socket.send(request)
                welcome_until_s = time.monotonic() + self._settings.timeout_s
                while True:
                    for message in self._state.received(await self._receive(socket, welcome_until_s)):
                        yield message
            finally:
                self._socket = None
                await socket.close()

    async def _receive(self, socket: ClientConnection, welcome_until_s: float) -> bytes:
        """The next frame. Raises TimeoutError without a welcome by then; later on pings tell who lives."""
        if self._state.connected:
            return await socket.recv(decode=False)
        try:
            async with asyncio.timeout(max(0.0, welcome_until_s - time.monotonic())):
                return await socket.recv(decode=False)
        except TimeoutError as error:
            raise TimeoutError(sockets.NO_WELCOME) from error

    def _gone(self, error: Exception) -> Disconnected:
        code, reason = sockets.read_end(error, was_connected=self._state.was_connected)
        return self._state.ended(code, reason)
