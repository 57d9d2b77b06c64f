"""One socket of the load client, without a WebSocket library.

A frame is not parsed as JSON: its `seq` is looked for, and the delay is taken from the table of send times.
So a delivery costs the client little more than reading from a socket does.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from benchmarks.sockets import frames
from benchmarks.sockets.tally import Tally

_SEQ = b'"seq":'


class Refused(Exception):
    """The server did not let a socket in; the text is what it said."""


class Counting(Protocol):
    """What a member belongs to."""

    tally: Tally
    upgrade: bytes


class Member(asyncio.Protocol):
    """One socket: upgraded, welcomed, subscribed, and then counting what it gets."""

    __slots__ = ("_newest", "_rest", "_subscribe", "_transport", "_upgraded", "audience", "leaving", "ready")

    def __init__(self, audience: Counting, subscribe: bytes) -> None:
        self.audience = audience
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.leaving = False
        self._subscribe = subscribe
        self._newest: dict[int, int] = {}
        self._rest = b""
        self._upgraded = False
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.write(self.audience.upgrade)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at = 0 if self._upgraded else self._read_answer(data)
        if self._upgraded:
            while frame := frames.next_frame(data, at):
                opcode, begin, at = frame
                if opcode == frames.TEXT:
                    self._take_text(data, begin, at, now)
                else:
                    self._take_control(opcode, data[begin:at])
        if at < len(data):
            self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(1006)

    def vanish(self) -> None:
        """Cut the connection."""
        self.leaving = True
        self._transport.abort()

    def leave(self) -> None:
        """Close in good order."""
        self.leaving = True
        self._transport.write(frames.client_frame(frames.CLOSE, b"\x03\xe8"))

    def _read_answer(self, data: bytes) -> int:
        """Where the answer to the handshake ends; 0 while it is incomplete or no upgrade."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        if not data.startswith(b"HTTP/1.1 101"):
            self._fail(data[:200].decode(errors="replace"))
            self._transport.abort()
            return 0
        self._upgraded = True
        return end + 4

    def _take_text(self, data: bytes, begin: int, end: int, now: int) -> None:
        found = data.find(_SEQ, begin, end)
        if found < 0:
            self._take_answer(data[begin:end])
            return
        tally = self.audience.tally
        tally.frames += 1
        while found >= 0:
            # Another field always follows: `epoch`.
            stop = data.find(b",", found, end)
            tally.take(self._newest, int(data[found + 6 : stop]), now)
            found = data.find(_SEQ, stop, end)

    def _take_answer(self, frame: bytes) -> None:
        if b'"type":"welcome"' in frame:
            self._transport.write(self._subscribe)
        elif b'"type":"subscribed"' in frame and not self.ready.done():
            self.ready.set_result(None)
        else:
            self.audience.tally.notice(frame[:200].decode(errors="replace"))

    def _take_control(self, opcode: int, payload: bytes) -> None:
        if opcode == frames.PING:
            self._transport.write(frames.client_frame(frames.PONG, payload))
        elif opcode == frames.CLOSE:
            self._end(frames.close_code(payload))
            self._transport.close()

    def _end(self, code: int) -> None:
        if not self.leaving:
            self.leaving = True
            self.audience.tally.note_closed(code)
            self._fail(f"closed with {code}")

    def _fail(self, why: str) -> None:
        if not self.ready.done():
            self.ready.set_exception(Refused(why))
