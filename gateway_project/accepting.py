"""Connections are taken as they come, many in a turn of the event loop.

libuv takes one a turn. A turn of a busy server takes ten milliseconds, so that the last of a hundred callers
who come together would wait for a second before its request is read.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

_MOST_A_TURN = 64


class Acceptor:
    """Takes what waits at `listener`, beside the server of the event loop that listens there too.

    `make` makes the protocol of a connection. Starts at once.
    """

    def __init__(self, listener: socket.socket, make: Callable[[], asyncio.BaseProtocol]) -> None:
        self._loop = asyncio.get_running_loop()
        # The loop minds two readers of one descriptor.
        self._listener = listener.dup()
        self._listener.setblocking(False)
        self._make = make
        self._attaching: set[asyncio.Task[None]] = set()
        self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Take no more; returns when those that were taken are with their protocols."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        await asyncio.gather(*self._attaching, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_MOST_A_TURN):
            try:
                connection, _ = self._listener.accept()
            except OSError:  # nobody waits any more; if descriptors have run out, libuv knows what to do
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._attach(connection))
            self._attaching.add(task)
            task.add_done_callback(self._attaching.discard)

    async def _attach(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:  # it has gone again
            connection.close()
