"""How frames get to a peer without waiting for it: into the server's transport, or through ASGI `send`.

The hub must never wait for a socket. A server of ours offers itself in the scope's extensions (`Frames`): a
frame is framed once for everybody and written at once. For any other server a send is driven as far as it
goes without suspending, which for a healthy peer is to its end; only with a full write buffer does a task
carry on with it. Either way `is_blocked` says that the peer takes nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol

EXTENSION = "gateway.frames"
_CLOSE_WITHIN_S = 5.0

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Listener(Protocol):
    """Hears from the wire."""

    def on_blocked(self) -> None:
        """The peer takes no more for now."""

    def on_writable(self) -> None:
        """It does again."""

    def on_lost(self) -> None:
        """The peer is gone."""


class Frames(Protocol):
    """What a server offers as `EXTENSION`: whole frames in, at once."""

    listener: Listener | None

    def write(self, framed: bytes) -> None:
        """Write the bytes of a frame; they wait in the transport's buffer if they must."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and let the peer go, by force after a while."""


class Wire(Protocol):
    """A socket as a connection sees it. `write` takes what `frame` returns."""

    is_blocked: bool

    def write(self, framed: bytes) -> None:
        """Send a frame; may call the listener."""

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        """Close after what was written and the frame `last`; `reason` is at most 123 bytes."""


class _Gone:
    """A wire without an end: what a connection has when its socket is closed, so that nothing holds that."""

    is_blocked = False

    def write(self, framed: bytes) -> None:
        pass

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        pass


GONE = _Gone()


def frame(payload: bytes) -> bytes:
    """A text message as the server puts it on the wire (RFC 6455, 5.2): whole, not masked."""
    length = len(payload)
    if length < 126:
        return bytes((0x81, length)) + payload
    if length < 65_536:
        return b"\x81\x7e" + struct.pack("!H", length) + payload
    return b"\x81\x7f" + struct.pack("!Q", length) + payload


def payload_of(framed: bytes) -> bytes:
    """The inverse of `frame`."""
    start = {126: 4, 127: 10}.get(framed[1], 2)
    return framed[start:]


def wire_of(scope: dict[str, Any], send: Send, listener: Listener) -> Wire:
    """The best way to the peer of this ASGI connection, which must be accepted before the first write."""
    frames: Frames | None = scope.get("extensions", {}).get(EXTENSION)
    return AsgiWire(send, listener) if frames is None else DirectWire(frames, listener)


class DirectWire:
    """Through a server of ours."""

    __slots__ = ("_frames", "_listener", "is_blocked", "write")

    def __init__(self, frames: Frames, listener: Listener) -> None:
        self._frames = frames
        self._listener = listener
        self.is_blocked = False
        self.write = frames.write
        frames.listener = self

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        if last:
            self._frames.write(last)
        self._frames.close(code, reason)

    def on_blocked(self) -> None:
        """From the server."""
        self.is_blocked = True
        self._listener.on_blocked()

    def on_writable(self) -> None:
        """From the server."""
        self.is_blocked = False
        self._listener.on_writable()

    def on_lost(self) -> None:
        """From the server."""
        self._listener.on_lost()


class AsgiWire:
    """Through `send`, as any ASGI server has it."""

    def __init__(self, send: Send, listener: Listener) -> None:
        self._send = send
        self._listener = listener
        self._finishing: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self.is_blocked = False

    def write(self, framed: bytes) -> None:
        message = {"type": "websocket.send", "text": payload_of(framed).decode()}
        sending = self._send(message).__await__()
        try:
            waits_for = next(sending)
        except StopIteration:
            return
        except (OSError, RuntimeError):
            self._listener.on_lost()
            return
        self.is_blocked = True
        self._finishing = asyncio.get_running_loop().create_task(self._finish(sending, waits_for))
        self._listener.on_blocked()

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        if last and not self.is_blocked:
            self.write(last)
        self._closing = asyncio.get_running_loop().create_task(self._close(code, reason))

    async def _close(self, code: int, reason: str) -> None:
        if self._finishing is not None:
            self._finishing.cancel()
        # The peer may have gone first, or take nothing: whoever serves the socket ends it then.
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(_CLOSE_WITHIN_S):
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        self._listener.on_lost()

    async def _finish(self, sending: Generator[Any, Any, None], waits_for: Any) -> None:
        """Carry on with a suspended send."""
        try:
            await _Suspended(sending, waits_for)
        except (OSError, RuntimeError):
            self._listener.on_lost()
            return
        self._finishing = None
        self.is_blocked = False
        self._listener.on_writable()


class _Suspended:
    """Awaits the rest of a coroutine that was driven by hand to its first suspension."""

    def __init__(self, rest: Generator[Any, Any, None], waits_for: Any) -> None:
        self._rest = rest
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        while True:
            try:
                value = yield waits_for
            except BaseException as error:
                step: Callable[[], Any] = _bind(self._rest.throw, error)
            else:
                step = _bind(self._rest.send, value)
            try:
                waits_for = step()
            except StopIteration:
                return


def _bind(function: Callable[[Any], Any], argument: Any) -> Callable[[], Any]:
    return lambda: function(argument)
