"""One socket as the hub sees it: frames go out at once, or wait in its outbox while the peer is slow.

The hub must never wait for a socket. So a send is driven as far as it goes without suspending, which for
a healthy peer is to its end; only when the server's write buffer is full does a task carry on with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from realtime import protocol
from realtime.batches import Update
from realtime.outbox import Outbox

Send = Callable[[dict[str, Any]], Awaitable[None]]
Mark = tuple[str, int]


class Connection:
    """A socket that was accepted. Not safe to share between event loops."""

    __slots__ = ("_finishing", "_outbox", "_send", "closed", "floors", "id", "pending", "symbols")

    def __init__(self, connection_id: str, send: Send) -> None:
        self.id = connection_id
        self.symbols: set[str] = set()
        self.closed = False
        # Symbols whose snapshot is under way, with the live update that has overtaken it, if any.
        self.pending: dict[str, Mark | None] = {}
        # Symbols whose snapshot was newer than the live flow: live updates up to here are known already.
        self.floors: dict[str, Mark] = {}
        self._send = send
        self._outbox = Outbox(protocol.MAX_OUTBOX)
        self._finishing: asyncio.Task[None] | None = None

    def tell(self, frame: str) -> None:
        """Send an answer, a warning or an error."""
        if self.closed:
            return
        if self._finishing is None:
            self._start(frame)
            return
        self._outbox.put_control(frame)
        if self._outbox.overflowing:
            self.closed = True
            self._finishing.cancel()

    def update(self, update: Update, frame: str) -> None:
        """Send a live update, unless a snapshot has told this connection as much."""
        if self.pending and update.symbol in self.pending:
            self.pending[update.symbol] = (update.epoch, update.seq)
        elif self.floors and update.symbol in self.floors:
            if _reaches(self.floors[update.symbol], update):
                return
            del self.floors[update.symbol]
        self._send_update(frame)

    def snapshot(self, update: Update, overtaken_by: Mark | None) -> None:
        """Send the newest value, unless the live update `overtaken_by` was sent meanwhile and is newer."""
        if overtaken_by is not None and _reaches(overtaken_by, update):
            return
        self.floors[update.symbol] = (update.epoch, update.seq)
        self._send_update(protocol.prediction_update(update.document, snapshot=True))

    def forget(self, symbol: str) -> None:
        """The subscription of `symbol` has ended."""
        self.symbols.discard(symbol)
        self.pending.pop(symbol, None)
        self.floors.pop(symbol, None)

    def gap(self, frame: str) -> None:
        """Send a gap in its place among the updates."""
        self._send_update(frame)

    async def close(self, code: protocol.Close, reason: str) -> None:
        """Close the socket after what was sent before; `reason` is at most 123 bytes."""
        if self.closed:
            return
        self.closed = True
        if self._finishing is not None:
            self._finishing.cancel()
        with contextlib.suppress(OSError, RuntimeError):  # the peer has gone first
            await self._send({"type": "websocket.close", "code": int(code), "reason": reason[:120]})

    def gone(self) -> None:
        """The peer has disconnected: nothing is sent any more."""
        self.closed = True
        if self._finishing is not None:
            self._finishing.cancel()

    def _send_update(self, frame: str) -> None:
        if self.closed:
            return
        if self._finishing is None:
            self._start(frame)
        else:
            self._outbox.put_update(frame)

    def _start(self, frame: str) -> None:
        sending = self._send({"type": "websocket.send", "text": frame}).__await__()
        try:
            waits_for = next(sending)
        except StopIteration:
            return
        except (OSError, RuntimeError):
            self.closed = True
            return
        self._finishing = asyncio.get_running_loop().create_task(self._finish(sending, waits_for))

    async def _finish(self, sending: Generator[Any, Any, None], waits_for: Any) -> None:
        """Carry on with a suspended send, then with what has been waiting meanwhile."""
        try:
            await _Suspended(sending, waits_for)
            while (frame := self._outbox.take()) is not None:
                await self._send({"type": "websocket.send", "text": frame})
                if not len(self._outbox) and (dropped := self._outbox.take_dropped()):
                    self._outbox.put_control(protocol.dropped_warning(dropped))
        except (OSError, RuntimeError):
            self.closed = True
        finally:
            self._finishing = None


def _reaches(mark: Mark, update: Update) -> bool:
    """True if `mark` stands at `update` or after it, in the same life of the stream."""
    return mark[0] == update.epoch and mark[1] >= update.seq


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
