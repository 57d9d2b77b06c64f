"""One connection to Redis for an event loop: calls of one tick share a write, and a reply costs microseconds.

redis-py's asyncio client spends twenty times as long on a call as Redis does, and every limited request makes
one. So this module speaks the protocol itself, with hiredis packing and parsing; redis-py still reads the
URL.

1. A call is written once. When the connection breaks or a reply is late, nobody knows whether it was carried
   out: it fails with `RedisUnavailable` and is not repeated.
2. While Redis is away calls fail at once; one in half a second probes it.
3. What waits for a reply is bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from typing import Any, cast

import hiredis
from redis.connection import SSLConnection, parse_url

from observability.outages import Outage

TIMEOUT_S = 1.0
"""A reply that takes longer counts as none."""

_LAST_CHANCE_S = 0.1
_MOST_WAITING = 20_000
_INCOMPLETE = object()

Argument = str | bytes | int | float


class RedisUnavailable(Exception):
    """Redis did not answer, or is known to be down right now."""


class RedisRefused(Exception):
    """Redis answered with an error; the text is Redis'."""


def pack(*command: Argument) -> bytes:
    """A command as Redis reads it."""
    return cast(bytes, hiredis.pack_command(cast(Any, command)))  # its stub takes one word


class RedisLink:
    """The connection, made at the first call and again after a break. Lives in one event loop."""

    def __init__(self, url: str, *, name: str, outage: Outage | None = None) -> None:
        self._options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
        self._name = name
        self._outage = outage or Outage(f"Redis ({name})")
        self._protocol: _Protocol | None = None
        self._connecting: asyncio.Task[_Protocol] | None = None

    async def call(self, *command: Argument) -> Any:
        """The reply to `command`. Raises `RedisUnavailable`, `RedisRefused`."""
        return await self.call_packed(pack(*command))

    async def call_packed(self, command: bytes) -> Any:
        """As `call`, of a command that `pack` has made: for one that is sent again and again."""
        protocol = self._protocol
        if protocol is None or protocol.is_lost:
            protocol = await self._reach()
        try:
            reply = await protocol.ask(command)
        except RedisUnavailable as error:
            self._outage.failed(error)
            raise
        self._outage.succeeded()
        return reply

    def tell(self, *command: Argument) -> None:
        """Send `command` without waiting; it is lost where there is no connection."""
        if self._protocol is not None and not self._protocol.is_lost:
            with contextlib.suppress(RedisUnavailable):
                self._protocol.ask(pack(*command)).add_done_callback(_ignore)

    async def close(self) -> None:
        """Send what is left to be sent, and close."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._protocol is not None:
            await self._protocol.close()

    async def _reach(self) -> _Protocol:
        """A connection; callers that come while it is being made wait for the same one."""
        if self._connecting is None:
            if not self._outage.worth_trying():
                raise RedisUnavailable("Redis is away")
            self._connecting = asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(self._connecting)
        except asyncio.CancelledError:
            if self._connecting is not None and self._connecting.cancelled():
                raise RedisUnavailable("the link is closed") from None
            raise

    async def _connect(self) -> _Protocol:
        protocol = None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                protocol = await self._open()
                for command in self._greeting():
                    await protocol.ask(pack(*command))
        except (OSError, TimeoutError, RedisUnavailable, RedisRefused) as error:
            if protocol is not None:
                protocol.abort()
            self._outage.failed(error)
            raise RedisUnavailable(str(error)) from error
        finally:
            self._connecting = None
        self._protocol = protocol
        return protocol

    async def _open(self) -> _Protocol:
        loop = asyncio.get_running_loop()
        if "path" in self._options:
            _, protocol = await loop.create_unix_connection(_Protocol, self._options["path"])
        else:
            host, port = self._options.get("host", "localhost"), self._options.get("port", 6379)
            _, protocol = await loop.create_connection(_Protocol, host, port, ssl=self._tls())
        return protocol

    def _tls(self) -> ssl.SSLContext | None:
        if self._options.get("connection_class") is not SSLConnection:
            return None
        context = ssl.create_default_context(cafile=self._options.get("ssl_ca_certs"))
        if self._options.get("ssl_cert_reqs") in ("none", "None"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _greeting(self) -> list[tuple[Argument, ...]]:
        commands: list[tuple[Argument, ...]] = []
        if password := self._options.get("password"):
            username = self._options.get("username")
            commands.append(("AUTH", username, password) if username else ("AUTH", password))
        if database := self._options.get("db"):
            commands.append(("SELECT", database))
        commands.append(("CLIENT", "SETNAME", f"prediction-gateway-{self._name.replace(' ', '-')}"))
        return commands


class _Protocol(asyncio.Protocol):
    """Bytes in, replies out, in the order of the commands."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._unsent: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._is_last_chance = False
        self.is_lost = False

    def ask(self, command: bytes) -> asyncio.Future[Any]:
        """Write the packed `command` at the end of this tick; the future is its reply."""
        if self.is_lost or len(self._waiting) >= _MOST_WAITING:
            raise RedisUnavailable("too many calls wait for Redis" if not self.is_lost else "no connection")
        if not self._unsent:
            self._loop.call_soon(self._send)
        self._unsent.append(command)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((future, self._loop.time()))
        if self._watch is None:
            self._watch = self._loop.call_later(TIMEOUT_S, self._look_for_late_replies)
        return future

    async def close(self) -> None:
        """Close when the last reply is in."""
        while self._waiting and not self.is_lost:
            with contextlib.suppress(RedisUnavailable, RedisRefused):
                await self._waiting[-1][0]
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
        self._lose("the connection was closed")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment] # a stream has this kind

    def data_received(self, data: bytes) -> None:
        self._is_last_chance = False
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not _INCOMPLETE:
                future, _ = self._waiting.popleft()
                if future.done():  # whoever asked has gone
                    continue
                if isinstance(reply, hiredis.ReplyError):
                    future.set_exception(RedisRefused(str(reply)))
                else:
                    future.set_result(reply)
        except (hiredis.ProtocolError, IndexError):
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose(str(exc or "Redis has closed the connection"))

    def _send(self) -> None:
        if self._transport is not None and not self.is_lost:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def _look_for_late_replies(self) -> None:
        """One timer for all calls: replies come in order, so the first that waits has waited longest."""
        self._watch = None
        if not self._waiting:
            return
        left_s = self._waiting[0][1] + TIMEOUT_S - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look_for_late_replies)
        elif self._is_last_chance:
            self.abort()
        else:
            # It may be this process that was late: what lies in the socket is read before the next look.
            self._is_last_chance = True
            self._watch = self._loop.call_later(_LAST_CHANCE_S, self._look_for_late_replies)

    def _lose(self, reason: str) -> None:
        self.is_lost = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        while self._waiting:
            future, _ = self._waiting.popleft()
            if not future.done():
                future.set_exception(RedisUnavailable(reason))


def _ignore(future: asyncio.Future[Any]) -> None:
    """Take note of the outcome, so that nobody warns of an exception that was never looked at."""
    if not future.cancelled():
        future.exception()
