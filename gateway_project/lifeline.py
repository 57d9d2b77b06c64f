"""The wire between a launcher and its worker: a byte when the worker listens, and then one every few seconds.

The bytes come from the worker's event loop: one that is stuck falls silent. The launcher sends nothing; the
end of the wire tells a worker that its launcher is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable


class Lifeline:
    """A worker's end of the wire."""

    def __init__(self, sock: socket.socket, beat_s: float) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._beat_s = beat_s

    def begin(self, on_alone: Callable[[], None]) -> None:
        """Say that this worker is ready, and go on; `on_alone` is called once the launcher is gone."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock, self._end, loop, on_alone)
        self._beat(loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        # A launcher that is gone is noticed by the reader; one that does not read has enough to read.
        with contextlib.suppress(OSError):
            self._sock.send(b".")
        loop.call_later(self._beat_s, self._beat, loop)

    def _end(self, loop: asyncio.AbstractEventLoop, on_alone: Callable[[], None]) -> None:
        loop.remove_reader(self._sock)
        on_alone()


class Pulse(asyncio.Protocol):
    """The launcher's end of the wire: whether the worker is ready, and when it was last heard."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready = asyncio.Event()
        self.heard_at = self._loop.time()

    def data_received(self, data: bytes) -> None:
        """The worker has spoken."""
        self.heard_at = self._loop.time()
        self.ready.set()

    def silent_for_s(self) -> float:
        """Seconds since the worker has spoken last, or since it was started."""
        return self._loop.time() - self.heard_at

    def forgive(self, seconds: float) -> None:
        """Do not count `seconds` of the silence."""
        self.heard_at += seconds
