"""One deadline over all that an attempt sends and reads, for threads.

The timeout of httpx holds for each read alone: a server that sends a byte now and then, of its headers too,
would hold a thread for hours. So the network under httpx is wrapped, and gives each step no more than what is
left. For asyncio there is `asyncio.timeout`.
"""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

_until_s: ContextVar[float | None] = ContextVar("_until_s", default=None)


@contextlib.contextmanager
def deadline(timeout_s: float) -> Iterator[None]:
    """What is sent and read within ends `timeout_s` from now, with `httpx.TimeoutException`."""
    before = _until_s.set(time.monotonic() + timeout_s)
    try:
        yield
    finally:
        _until_s.reset(before)


def hold_deadlines(http: httpx.Client) -> httpx.Client:
    """Make the client keep to `deadline`, through proxies of the environment as well.

    httpx has no door for this: a transport of one's own would do, and take the proxies away.
    """
    for transport in (http._transport, *http._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool
            pool._network_backend = _Network(pool._network_backend)
    return http


def _left_s(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    until_s = _until_s.get()
    if until_s is None:
        return timeout
    left_s = until_s - time.monotonic()
    if left_s <= 0:
        raise late("the whole answer took too long")
    return left_s if timeout is None else min(timeout, left_s)


class _Network(httpcore.NetworkBackend):
    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._network = network

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return _Connection(self._network.connect_tcp(host, port, left_s, local_address, socket_options))

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return _Connection(self._network.connect_unix_socket(path, left_s, socket_options))

    def sleep(self, seconds: float) -> None:
        self._network.sleep(seconds)


class _Connection(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left_s = _left_s(timeout, httpcore.ConnectTimeout)
        return _Connection(self._stream.start_tls(ssl_context, server_hostname, left_s))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
