"""A line between a client and a server, on which a test does what a network does to a socket.

The words are Toxiproxy's (github.com/Shopify/toxiproxy): a line carries bytes unless a toxic holds, and is
disabled when nobody listens. One difference: what `Timeout(0)` has swallowed is lost for good: a connection
from that time stays open and dead when the toxic is gone, as behind a router that has forgotten it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import struct
import threading
import time
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

RESET = struct.pack("ii", 1, 0)
T = TypeVar("T")
Stream = Literal["upstream", "downstream"]
"""From the client to the server, or back."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Every byte comes `latency_ms` later, in both streams half of it."""

    latency_ms: float


@dataclass(frozen=True, slots=True)
class Timeout:
    """Swallow everything; close after `timeout_ms`, or never if that is 0: a half-open connection."""

    timeout_ms: float = 0


@dataclass(frozen=True, slots=True)
class ResetPeer:
    """Reset every connection, `timeout_ms` after it was made."""

    timeout_ms: float = 0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Carry `rate_kb` kilobytes a second, at most, in each stream of each connection."""

    rate_kb: float


@dataclass(frozen=True, slots=True)
class Slicer:
    """Carry pieces of `average_size` bytes, `delay_us` microseconds apart."""

    average_size: int
    delay_us: float = 0


@dataclass(frozen=True, slots=True)
class LimitData:
    """Carry so many `bytes` of the answers of a connection, and reset it in the middle of the next."""

    bytes: int


Toxic = Latency | Timeout | ResetPeer | Bandwidth | Slicer | LimitData


class Line:
    """Takes connections at `url` and carries their bytes to the server of `target` and back."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        user = f"{parts.username}@" if parts.username else ""
        self.url = parts._replace(netloc=f"{user}127.0.0.1:{self.port}").geturl()
        self.toxics: tuple[Toxic, ...] = ()
        self._links: set[_Link] = set()
        self._accepting: asyncio.Task[None] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def add(self, *toxics: Toxic) -> int:
        """From now on `toxics` hold, also on connections that are open; returns how many those are."""
        return self._do(self._poison(toxics))

    def cut(self) -> int:
        """Reset every connection, and each new one until `mend`; returns how many were open."""
        return self.add(ResetPeer())

    def mend(self) -> None:
        """Carry again."""
        self.toxics = ()

    def disable(self) -> None:
        """Reset every connection and listen no more: new ones are refused."""
        self._do(self._disable())

    def enable(self) -> None:
        """Listen again, at the same address."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._do(self._listen())

    def close(self) -> None:
        """The end of the line."""
        self.disable()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=60)
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(timeout=60)

    async def _listen(self) -> None:
        self._listener.setblocking(False)
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        while True:
            near, _ = await self._loop.sock_accept(self._listener)
            link = _Link(self, near)
            self._links.add(link)
            link.carrying = asyncio.create_task(link.carry(self._target))
            link.carrying.add_done_callback(functools.partial(self._forget, link))

    def _forget(self, link: _Link, _: asyncio.Task[None]) -> None:
        self._links.discard(link)
        link.close()

    async def _poison(self, toxics: tuple[Toxic, ...]) -> int:
        self.toxics += toxics
        links = [*self._links]
        for link in links:
            link.is_dead |= any(isinstance(toxic, Timeout) for toxic in toxics)
            for toxic in toxics:
                if isinstance(toxic, Timeout | ResetPeer):
                    link.ends_as(toxic)
        await asyncio.sleep(0)
        return len(links)

    async def _disable(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.gather(self._accepting, return_exceptions=True)
            self._accepting = None
        self._listener.close()
        ending = [link.carrying for link in self._links if link.carrying is not None]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)


class _Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, line: Line, near: socket.socket) -> None:
        self._line = line
        self._near = near
        self._far = socket.socket()
        self._loop = asyncio.get_running_loop()
        self._answered = 0
        self._is_whole = False
        self.is_dead = any(isinstance(toxic, Timeout) for toxic in line.toxics)
        self.carrying: asyncio.Task[None] | None = None

    def ends_as(self, toxic: Timeout | ResetPeer) -> None:
        """End as `toxic` says, and when."""
        if self.carrying is not None and (toxic.timeout_ms or isinstance(toxic, ResetPeer)):
            self._loop.call_later(toxic.timeout_ms / 1000, self.carrying.cancel)

    async def carry(self, target: tuple[str, int]) -> None:
        """Carry until both sides have ended, or one is broken; then both are reset."""
        near, far = self._near, self._far
        streams: list[asyncio.Task[None]] = []
        try:
            for end in (near, far):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for toxic in self._line.toxics:
                if isinstance(toxic, Timeout | ResetPeer):
                    self.ends_as(toxic)
            await self._loop.sock_connect(far, target)
            streams = [*self._stream(near, far, "upstream"), *self._stream(far, near, "downstream")]
            await asyncio.wait(streams, return_when=asyncio.FIRST_EXCEPTION)
            self._is_whole = all(task.done() and not task.exception() for task in streams)
        except OSError:
            pass
        finally:
            for task in streams:
                task.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    def close(self) -> None:
        """Close both ends: in good order if both streams have come to theirs, else with a reset."""
        for end in (self._near, self._far):
            if not self._is_whole:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()

    def _stream(
        self, source: socket.socket, sink: socket.socket, stream: Stream
    ) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1_000)
        return (
            asyncio.create_task(self._take(source, waiting, stream)),
            asyncio.create_task(self._give(sink, waiting, stream)),
        )

    async def _take(
        self, source: socket.socket, waiting: asyncio.Queue[tuple[float, bytes]], stream: Stream
    ) -> None:
        data = b"."
        while data:
            data = await self._loop.sock_recv(source, 65_536)
            if self.is_dead:
                if not data and stream == "upstream":  # a client that has gone needs no line
                    raise ConnectionAbortedError
                if not data:  # nobody is told that the server has gone
                    await asyncio.Event().wait()
                continue
            latency_ms = sum(toxic.latency_ms for toxic in self._line.toxics if isinstance(toxic, Latency))
            await waiting.put((time.monotonic() + latency_ms / 2000, data))

    async def _give(
        self, sink: socket.socket, waiting: asyncio.Queue[tuple[float, bytes]], stream: Stream
    ) -> None:
        while True:
            due_at, data = await waiting.get()
            if (wait_s := due_at - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            if self.is_dead:
                continue
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            await self._carry_through(data, sink, stream)

    async def _carry_through(self, data: bytes, sink: socket.socket, stream: Stream) -> None:
        size, pause_s, limit = len(data), 0.0, None
        for toxic in self._line.toxics:
            if isinstance(toxic, Slicer):
                size, pause_s = toxic.average_size, toxic.delay_us / 1e6
            elif isinstance(toxic, Bandwidth):
                pause_s += min(size, len(data)) / (toxic.rate_kb * 1000)
            elif isinstance(toxic, LimitData) and stream == "downstream":
                limit = toxic.bytes
        if limit is not None:
            self._answered += len(data)
            if self._answered > limit:
                await self._loop.sock_sendall(sink, data[: len(data) // 2])
                raise ConnectionAbortedError
        for start in range(0, len(data), size):
            await self._loop.sock_sendall(sink, data[start : start + size])
            if pause_s:
                await asyncio.sleep(pause_s)


@contextlib.contextmanager
def line_to(target: str) -> Iterator[Line]:
    """A line to the server of `target`, until the test is over."""
    line = Line(target)
    try:
        yield line
    finally:
        line.close()
