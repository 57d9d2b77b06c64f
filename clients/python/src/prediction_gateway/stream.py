"""The stream for threads: a blocking iterator over a WebSocket that comes back by itself."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from prediction_gateway import sockets
from prediction_gateway.messages import Disconnected, Message, Update
from prediction_gateway.places import Position
from prediction_gateway.settings import Settings
from prediction_gateway.stream_state import StreamState


class Stream:
    """Messages of the symbols that were asked for, until `close`; made by `Client.stream`.

    One thread iterates; any thread may close. After a drop the stream comes back where it was: what was
    missed comes in order, without a hole and without a repetition, or a `Gap` tells what may be missing.
    Raises `StreamClosedError` when the gateway closes it for good.
    """

    def __init__(self, settings: Settings, state: StreamState) -> None:
        self._settings = settings
        self._state = state
        self._closing = threading.Event()
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

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        return next(self._messages)

    def updates(self) -> Iterator[Update]:
        """The updates alone, for whom gaps and drops do not matter."""
        return (message for message in self if isinstance(message, Update))

    def close(self) -> None:
        """End the stream; who iterates comes to the end. Doing it twice does no harm."""
        self._closing.set()
        if (socket := self._socket) is not None:
            socket.close()
        with contextlib.suppress(ValueError):  # it runs: the thread that iterates ends it
            self._messages.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> Generator[Message, None, None]:
        while not self._closing.is_set():
            try:
                yield from self._follow()
            except sockets.BROKEN as error:
                if self._closing.is_set():
                    return
                gone = self._gone(error)
            yield gone
            self._closing.wait(gone.retry_in_s)

    def _follow(self) -> Generator[Message, None, None]:
        """The messages of one connection, which ends with one of `sockets.BROKEN`."""
        with connect(self._settings.socket_url, **sockets.options(self._settings)) as socket:
            self._socket = socket
            try:
                if self._closing.is_set():  # it was closed while the connection came about
                    return
                with contextlib.suppress(
                    ConnectionClosed
                ):  # what came before the end says why: it is read first
                    for request in self._state.requests():
                        socket.send(request)
                welcome_until_s = time.monotonic() + self._settings.timeout_s
                while True:
                    yield from self._state.received(self._receive(socket, welcome_until_s))
            finally:
                self._socket = None
                socket.close()

    def _receive(self, socket: ClientConnection, welcome_until_s: float) -> bytes:
        """The next frame. Raises TimeoutError without a welcome by then; later on pings tell who lives."""
        if self._state.connected:
            return socket.recv(decode=False)
        try:
            return socket.recv(max(0.0, welcome_until_s - time.monotonic()), decode=False)
        except TimeoutError as error:
            raise TimeoutError(sockets.NO_WELCOME) from error

    def _gone(self, error: Exception) -> Disconnected:
        code, reason = sockets.read_end(error, was_connected=self._state.was_connected)
        return self._state.ended(code, reason)
