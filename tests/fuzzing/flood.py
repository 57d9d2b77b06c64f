"""Many WebSockets at once, each of which writes one script and is heard to its end.

What is heard must be declared: whole, unmasked frames, messages of the protocol with its codes, and the end
that the script has earned, made by the server. The client leaves only where a server may wait for more.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from benchmarks.sockets.frames import CLOSE, PING, PONG, TEXT, MalformedFrame, close_code, next_frame
from realtime.protocol.codes import Close
from realtime.protocol.messages import Error, Message, Pong
from tests.fuzzing.referee import BROKEN, NOT_UTF_8, TOO_BIG
from tests.fuzzing.scripts import LAST, Script

WITHIN_S = 60.0
"""A connection that has not ended by then hangs."""
_QUIET_S = 0.3
# Of what is not judged: it has not come whole, or came before its time.
_DECLARED = {1000, BROKEN, NOT_UTF_8, TOO_BIG, *Close}
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

_message: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Undeclared(Exception):
    """The server has said, done or left undone what no client has to expect."""


@dataclass(slots=True)
class Heard:
    """What came of all scripts so far."""

    frames: int = 0
    connections: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)


class _Client(asyncio.Protocol):
    """One connection and its script."""

    transport: asyncio.Transport

    def __init__(self, script: Script, handshake: bytes, heard: Heard) -> None:
        self._script = script
        self._handshake = handshake
        self._heard = heard
        self._received = bytearray()
        self._unwritten = [script.frames, script.ending]
        self._is_open = False
        self._code: int | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._handshake)
        if self._script.is_early:
            self._write()

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            self._read()
        except (Undeclared, MalformedFrame, msgspec.MsgspecError) as wrong:
            self._fail(repr(wrong))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        if self.ended.done():
            return
        if self._code not in (self._script.ends or _DECLARED):
            self._fail(f"the server ends it with {self._code}, {exc!r}")
            return
        self._end(str(self._code or "cut off"))

    def _read(self) -> None:
        if not self._is_open:
            head, found, rest = bytes(self._received).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                raise Undeclared(head[:200])
            self._is_open, self._received = True, bytearray(rest)
            if not (self._script.is_early or self._script.has_key):
                self._write()
        data, start = bytes(self._received), 0
        while (at := next_frame(data, start)) is not None:
            opcode, begin, start = at
            self._take(opcode, data[begin:start])
        del self._received[:start]

    def _take(self, opcode: int, payload: bytes) -> None:
        # Who has not closed himself yet may still have his ping answered (RFC 6455, 5.5.2).
        if self._code is not None and opcode != PONG:
            raise Undeclared(f"opcode {opcode} after the close frame")
        if opcode == TEXT:
            self._hear(_message.decode(payload))
        elif opcode == CLOSE:
            self._code = close_code(payload)
            if self._code not in (self._script.ends or _DECLARED):
                raise Undeclared(f"close code {self._code} {payload[2:]!r}")
            self.transport.close()
        elif opcode not in (PING, PONG):
            raise Undeclared(f"opcode {opcode}")

    def _hear(self, message: Message) -> None:
        self._heard.answers[str(message.code) if isinstance(message, Error) else type(message).__name__] += 1
        if len(self._unwritten) == 2 or (isinstance(message, Pong) and message.id == LAST):
            self._write()

    def _write(self) -> None:
        """The next part in one write; behind what may be waited for, wait for a moment only."""
        if not self._unwritten:
            return
        frames = self._unwritten.pop(0)
        self.transport.write(b"".join(frames))
        self._heard.frames += len(frames)
        is_all = self._script.is_early or not self._unwritten
        if is_all and not self._script.ends:
            if self._quiet is not None:
                self._quiet.cancel()
            self._quiet = asyncio.get_running_loop().call_later(_QUIET_S, self._leave)

    def _leave(self) -> None:
        self._end("left waiting")
        self.transport.abort()

    def _end(self, how: str) -> None:
        self._heard.ends[how] += 1
        self.ended.set_result(None)

    def _fail(self, why: str) -> None:
        self.transport.abort()
        if not self.ended.done():
            self.ended.set_exception(Undeclared(f"{why} after {self._script!r:.3000}"))


class Flood:
    """Writes scripts to a gateway, so many at once; raises `Undeclared` at the first that goes wrong."""

    def __init__(self, socket_url: str, key: str, scripts: Callable[[], Script], *, at_once: int) -> None:
        url = urlsplit(socket_url)
        self._host, self._port = url.hostname or "", url.port or 0
        self._handshakes = {
            has_key: _HANDSHAKE.format(
                path=url.path, host=url.netloc, credential=f"X-API-Key: {key}\r\n" if has_key else ""
            ).encode()
            for has_key in (True, False)
        }
        self._scripts = scripts
        self._at_once = at_once
        self.heard = Heard()

    async def run(self, until: int) -> None:
        """Go on until so many frames were written, then wait for the end of every connection."""
        async with asyncio.TaskGroup() as clients:
            for _ in range(self._at_once):
                clients.create_task(self._play_on(until))

    async def _play_on(self, until: int) -> None:
        while self.heard.frames < until:
            await self._play(self._scripts())

    async def _play(self, script: Script) -> None:
        loop = asyncio.get_running_loop()
        handshake = self._handshakes[script.has_key]
        self.heard.connections += 1
        _, client = await loop.create_connection(
            lambda: _Client(script, handshake, self.heard), self._host, self._port
        )
        with _aborting(client.transport):
            try:
                async with asyncio.timeout(WITHIN_S):
                    await client.ended
            except TimeoutError:
                raise Undeclared(f"no end within {WITHIN_S} s of {script!r:.3000}") from None


@contextlib.contextmanager
def _aborting(transport: asyncio.Transport) -> Iterator[None]:
    try:
        yield
    finally:
        transport.abort()
