"""The wire between a launcher and its worker: a byte when the worker listens, and then one every few seconds.

The bytes come from the worker's event loop: one that is stuck falls silent. A worker that is to end says so,
and is told whether somebody goes on at its socket; else the launcher sends nothing. The end of the wire tells
a worker that its launcher is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

BEAT, ENDING, LAST, SUCCEEDED = b".", b"e", b"l", b"s"
_ANSWER_WITHIN_S = 2.0


class Lifeline:
    """A worker's end of the wire."""

    def __init__(self, sock: socket.socket, beat_s: float) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._beat_s = beat_s
        self._is_last: asyncio.Future[bool] | None = None

    def begin(self, on_alone: Callable[[], None]) -> None:
        """Say that this worker is ready, and go on; `on_alone` is called once the launcher is gone."""
        loop = asyncio.get_running_loop()
        self._is_last = loop.create_future()
        loop.add_reader(self._sock, self._hear, loop, on_alone)
        self._beat(loop)

    async def end(self) -> bool:
        """Say that this worker is to end; True if nobody goes on at its socket. False without an answer."""
        if self._is_last is None:
            return False
        with contextlib.suppress(OSError):
            self._sock.send(ENDING)
        try:
            return await asyncio.wait_for(asyncio.shield(self._is_last), _ANSWER_WITHIN_S)
        except TimeoutError:
            return False

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        # A launcher that is gone is noticed by the reader; one that does not read has enough to read.
        with contextlib.suppress(OSError):
            self._sock.send(BEAT)
        loop.call_later(self._beat_s, self._beat, loop)

    def _hear(self, loop: asyncio.AbstractEventLoop, on_alone: Callable[[], None]) -> None:
        try:
            told = self._sock.recv(16)
        except BlockingIOError:
            return
        except OSError:
            told = b""
        if self._is_last is not None and not self._is_last.done():
            self._is_last.set_result(SUCCEEDED not in told)
        if not told:
            loop.remove_reader(self._sock)
            on_alone()


class Pulse(asyncio.Protocol):
    """The launcher's end of the wire: whether the worker is ready, and when it was last heard."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready = asyncio.Event()
        self.ending = asyncio.Event()
        self.heard_at = self._loop.time()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The wire is there."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """The worker has spoken."""
        self.heard_at = self._loop.time()
        self.ready.set()
        if ENDING in data:
            self.ending.set()

    def answer(self, *, is_last: bool) -> None:
        """Tell a worker that is to end whether nobody goes on at its socket."""
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(LAST if is_last else SUCCEEDED)

    def silent_for_s(self) -> float:
        """Seconds since the worker has spoken last, or since it was started."""
        return self._loop.time() - self.heard_at

    def forgive(self, seconds: float) -> None:
        """Do not count `seconds` of the silence."""
        self.heard_at += seconds
