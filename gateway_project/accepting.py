"""Connections are taken as they come, many in a turn of the event loop.

libuv takes one a turn. A turn of a busy server takes ten milliseconds, so that the last of a hundred callers
who come together would wait for a second before its request is read. And what it takes for TLS is nobody's
until the handshake is over: a server that ends meanwhile would not know of it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

HANDSHAKE_WITHIN_S = 10.0

_MOST_A_TURN = 64
_REST_S = 0.1
_LAST_HANDSHAKES_S = 1.0


class Acceptor:
    """Takes what waits at `listener`, also beside a server of the event loop that listens there too.

    `make` makes the protocol of a connection, which speaks TLS with a context of `tls`. Starts at once.
    """

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        # The loop minds two readers of one descriptor.
        self._listener = listener.dup()
        self._listener.setblocking(False)
        self._make = make
        self._tls = tls
        self._handshake_within_s = None if tls is None else HANDSHAKE_WITHIN_S
        self._attaching: set[asyncio.Task[None]] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._begin()

    def _begin(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Take no more; returns when those that were taken are with their protocols.

        Whoever has begun no TLS by then, or does not get on with it, is given up.
        """
        if self._rest is not None:
            self._rest.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        if self._attaching:
            await asyncio.wait(self._attaching, timeout=_LAST_HANDSHAKES_S)

    def _accept(self) -> None:
        for _ in range(_MOST_A_TURN):
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:  # nobody waits any more
                return
            except OSError:  # descriptors have run out
                self._loop.remove_reader(self._listener)
                self._rest = self._loop.call_later(_REST_S, self._begin)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._attach(connection))
            self._attaching.add(task)
            task.add_done_callback(self._attaching.discard)

    async def _attach(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make, connection, ssl=self._tls, ssl_handshake_timeout=self._handshake_within_s
            )
        except OSError:  # it has gone again
            connection.close()
