"""uvicorn, set up the way this gateway was measured with."""

from __future__ import annotations

import signal
import socket

import uvicorn

from gateway_project.protocols import HttpProtocol, WebSocketProtocol
from realtime import protocol

BACKLOG = 2048
GRACE_S = 10


class PortBusy(Exception):
    """Somebody else listens on the port; the text names the way out."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket's future: bound to `host`:`port`, or `PortBusy`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise PortBusy(
            f"port {port} on {host} cannot be used ({error.strerror}). Stop what uses it, or choose "
            f"another port: `make run PORT={port + 1}`, `manage.py serve --port {port + 1}`."
        ) from None
    return sock


def serve(sock: socket.socket) -> None:
    """Serve the ASGI application on `sock` until SIGTERM or Ctrl-C, then finish what is under way."""
    config = uvicorn.Config(
        "gateway_project.asgi:application",
        loop="uvloop",
        http=HttpProtocol,
        lifespan="on",
        ws=WebSocketProtocol,
        # Deflate costs 37 KB a socket and a seventh of a burst's CPU; updates are small.
        ws_per_message_deflate=False,
        # Above our own limit, so that a message that is too big gets its error frame first.
        ws_max_size=2 * protocol.MAX_MESSAGE_BYTES,
        ws_ping_interval=protocol.HEARTBEAT_S,
        ws_ping_timeout=protocol.HEARTBEAT_S,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=GRACE_S,
        # Whoever is in front is none of uvicorn's business: the gateway reads forwarded headers itself.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    # uvicorn raises the signal that ended it once more; a server that has drained ends with status 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run(sockets=[sock])
