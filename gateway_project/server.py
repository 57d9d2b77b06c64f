"""uvicorn, set up the way this gateway was measured with: its sockets, its settings, its end."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import math
import os
import select
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from types import FrameType

import uvicorn

from gateway_project import draining, last_callers
from gateway_project.accepting import Acceptor
from gateway_project.lifeline import Lifeline
from gateway_project.websocket_protocol import WebSocketProtocol
from realtime import hub
from realtime.protocol import limits

logger = logging.getLogger(__name__)

BACKLOG = 2048
GRACE_S = 10
# What remains of the grace is for what the drain leaves over; lifespan's end comes after it.
DRAIN_S = 8.0

_TURNS_TO_ATTACH = 2
# A peer that acknowledges nothing, or takes nothing, for this long is cut off by the kernel.
_PEER_TIMEOUT_MS = 30_000
# What the kernel takes of our data beyond what it can send; the rest waits here, where it is counted.
_UNSENT_BYTES = 128 * 1024


class PortBusy(Exception):
    """Somebody else listens on the port; the text names the way out."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket on `host`:`port` that nobody else listens on, or `PortBusy`."""
    with _told_when_busy(host, port):
        sock = _bind(host, port, shared=False)
        try:
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
    return sock


def reserve(host: str, port: int) -> socket.socket:
    """Keep the port for sockets made by `share`; never listens itself. Raises `PortBusy`."""
    # Sockets that share a port do not mind each other: whether a gateway is there already shows only to
    # one that does not share.
    with bind(host, port) as alone:
        host, port = alone.getsockname()[:2]
    with _told_when_busy(host, port):
        reserved = _bind(host, port, shared=True)
    # And from now on the next one that tries is told, although nobody listens yet.
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    return reserved


def share(reserved: socket.socket) -> socket.socket:
    """One more socket on the port of `reserved`, not listening yet; raises OSError."""
    host, port = reserved.getsockname()[:2]
    sock = _bind(host, port, shared=True)
    # Whoever holds a copy shares this flag: a copy made of a blocking one would let the event loop of a
    # worker hang in accept().
    sock.setblocking(False)
    return sock


def _bind(host: str, port: int, *, shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bound_peers(sock)
    try:
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _told_when_busy(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PortBusy(
            f"port {port} on {host} cannot be used ({error.strerror}). Stop what uses it, or choose "
            f"another port: `make run PORT={port + 1}`, `manage.py serve --port {port + 1}`."
        ) from None


def _bound_peers(sock: socket.socket) -> None:
    """What one peer can cost the kernel; on Linux accepted sockets inherit it from the listening one."""
    for name, value in (("TCP_USER_TIMEOUT", _PEER_TIMEOUT_MS), ("TCP_NOTSENT_LOWAT", _UNSENT_BYTES)):
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def serve(sock: socket.socket, lifeline: Lifeline | None = None, tls: ssl.SSLContext | None = None) -> None:
    """Serve the ASGI application on `sock` until SIGTERM or Ctrl-C, then finish what is under way.

    With `tls`, nothing but TLS is spoken there.

    A worker of `gateway_project.launcher` speaks on its `lifeline`.
    """
    config = uvicorn.Config(
        "gateway_project.asgi:application",
        loop="uvloop",
        http=draining.HttpProtocol,
        lifespan="on",
        ws=WebSocketProtocol,
        ssl_context_factory=None if tls is None else lambda *_: tls,
        # Deflate costs 37 KB a socket and a seventh of a burst's CPU; updates are small.
        ws_per_message_deflate=False,
        # Above our own limit, so that a message that is too big gets its error frame first.
        ws_max_size=2 * limits.MAX_MESSAGE_BYTES,
        ws_ping_interval=limits.HEARTBEAT_S,
        ws_ping_timeout=limits.HEARTBEAT_S,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_S,
        # Whoever is in front is none of uvicorn's business: the gateway reads forwarded headers itself.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    if lifeline is not None:
        # Meant for the launcher, which renews its workers one by one.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Where it was stuck, if the launcher has to abort it.
        faulthandler.enable()
    server = Server(config, lifeline)
    if lifeline is None:
        # Alone, there is nobody to hand over to: whoever keeps this process running starts the next one.
        signal.signal(signal.SIGHUP, server.handle_exit)
    server.run(sockets=[sock])


class Server(uvicorn.Server):
    """uvicorn's server, which ends in this order:

    1. Nobody can begin to connect any more; what the kernel has queued is accepted. A worker asks its
       launcher first: where a successor goes on at its socket, those who come are the successor's.
    2. WebSockets are closed, spread over `DRAIN_S`, while HTTP that is under way or on its way is answered.
    3. uvicorn waits for the rest, `GRACE_S` in all; then lifespan ends.
    """

    def __init__(self, config: uvicorn.Config, lifeline: Lifeline | None) -> None:
        super().__init__(config)
        self.server_state: draining.State = draining.State()
        self._lifeline = lifeline
        self._is_last = lifeline is None
        self._acceptors: list[Acceptor] = []

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at once at the second.

        A worker leaves the second to its launcher: a service manager may signal both, which is one order.
        """
        if self.should_exit and self._lifeline is None:
            os._exit(128 + sig)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the launcher when everything that wants to connect can do so."""
        if self.config.ssl is None:
            await super().startup(sockets)
        else:  # the acceptors take everybody
            await super().startup([])
            for sock in sockets or []:
                sock.listen(BACKLOG)
        if self.started:
            self._acceptors = [Acceptor(sock, self._make_protocol, self.config.ssl) for sock in sockets or []]
        if self.started and self._lifeline is None and sockets:
            logger.info("serving at %s", _address_of(sockets[0], self.config.ssl is not None))
        if self.started and self._lifeline is not None:
            self._lifeline.begin(self._leave)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in good order, within `GRACE_S` and what lifespan takes."""
        began = time.monotonic()
        self.server_state.draining = True  # from now on answers end their connections
        if self._lifeline is not None and await self._lifeline.end():
            self._is_last = True
        if self._is_last:
            for sock in sockets or []:
                last_callers.let_nobody_begin(sock)
        await _accept_queued(sockets or [])
        for acceptor in self._acceptors:
            await acceptor.stop()
        for server in self.servers:
            server.close()
        await asyncio.gather(_drain_websockets(), self.server_state.drain_http())
        self.config.timeout_graceful_shutdown = grace_left_s(time.monotonic() - began)
        await super().shutdown(sockets)

    def _make_protocol(self) -> asyncio.Protocol:
        return draining.HttpProtocol(
            self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _leave(self) -> None:
        """The launcher has gone."""
        self._is_last = self.should_exit = True


def _address_of(sock: socket.socket, is_tls: bool) -> str:
    host, port = sock.getsockname()[:2]
    return f"{'https' if is_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def grace_left_s(passed_s: float) -> int:
    """What is left of `GRACE_S` for answers under way, at least a second."""
    return max(1, math.ceil(GRACE_S - passed_s))


async def _accept_queued(sockets: list[socket.socket]) -> None:
    """Let the event loop accept what waits at `sockets`; closing them would reset it."""
    waiting = select.poll()
    for sock in sockets:
        waiting.register(sock, select.POLLIN)
    turns = 0
    # A connection belongs to the server some turns after it was accepted; a server that has closed drops it.
    for _ in range(BACKLOG):
        turns = 0 if waiting.poll(0) else turns + 1
        if turns > _TURNS_TO_ATTACH:
            return
        await asyncio.sleep(0)


async def _drain_websockets() -> None:
    try:
        await hub.drain_current(DRAIN_S)
    except Exception:
        # They are closed all the same, though at once; the rest of the end must not be missed.
        logger.exception("WebSockets could not be drained")
