"""A line for every request that was answered, and for every WebSocket at its end.

`note` leaves a tuple behind, which costs half a microsecond; the lines are formed a few times a second by a
task of the event loop, and written by the thread of `observability.log_sink`. What waits is bounded: where
stderr is not read, the oldest lines are dropped, counted, and told of. Only the event loop's thread notes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from time import time
from typing import Any

import msgspec

from observability import access_lines
from observability.access_lines import Request, Socket
from observability.log_sink import PIPE_BUF, STDERR, Sink
from observability.per_loop import PerLoop
from observability.tasks import end

logger = logging.getLogger(__name__)

MOST_WAITING = 8_192

_EVERY_S = 0.25
_AT_ONCE = 4_096
# So many lines are formed before the event loop may do something else.
_SLICE = 128


class _Notes:
    """What waits to be formed, oldest first, and how much of it was lost."""

    def __init__(self) -> None:
        # Requests are plain tuples, in the order of `Request`: making one of those takes twice as long.
        self.waiting: deque[tuple[Any, ...]] = deque(maxlen=MOST_WAITING)
        self.dropped = 0

    def make_room(self) -> None:
        """Count what the next note drops, and hurry the writer."""
        self.dropped += len(self.waiting) == MOST_WAITING
        writer = _writers.existing()
        if writer is not None:
            writer.full.set()

    def drop_all(self) -> None:
        """Count what nobody will write any more."""
        self.dropped += len(self.waiting)
        self.waiting.clear()

    def tell_dropped(self) -> None:
        """Log how many lines were lost since this was told last."""
        dropped, self.dropped = self.dropped, 0
        if dropped:
            logger.warning("lines of the access log dropped: stderr is not read", extra={"dropped": dropped})


class _Writer:
    """Forms the lines of one event loop."""

    def __init__(self, *, pretty: bool, sink: Sink) -> None:
        self.full = asyncio.Event()
        self._render: Callable[[Any], bytes] = (
            access_lines.as_text if pretty else msgspec.json.Encoder().encode
        )
        self._sink = sink
        self.task = asyncio.get_running_loop().create_task(self._write_for_ever())

    async def _write_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_S):
                    await self.full.wait()
            self.full.clear()
            while _notes.waiting and self._sink.has_room:
                self.write(_SLICE)
                await asyncio.sleep(0)
            if self._sink.has_room:
                _notes.tell_dropped()
            else:  # it is of no use to be woken
                await asyncio.sleep(_EVERY_S)

    def write(self, most: int) -> None:
        """Hand the oldest `most` lines to the sink while it has room, in pieces that a pipe takes whole."""
        piece: list[bytes] = []
        size = 0
        for _ in range(min(most, len(_notes.waiting))):
            line = self._render(_form(_notes.waiting[0]))
            if piece and size + len(line) >= PIPE_BUF:
                self._put(piece)
                piece, size = [], 0
            if not piece and not self._sink.has_room:
                return
            _notes.waiting.popleft()
            piece.append(line)
            size += len(line) + 1
        if piece:
            self._put(piece)

    def _put(self, piece: list[bytes]) -> None:
        if not self._sink.put(b"\n".join(piece) + b"\n"):
            _notes.dropped += len(piece)


_notes = _Notes()
_writers: PerLoop[_Writer] = PerLoop()


def start_current(*, pretty: bool, sink: Sink = STDERR) -> None:
    """Write the lines of the running event loop from now on; a second call does nothing."""
    _writers.current(lambda: _Writer(pretty=pretty, sink=sink))


async def stop_current() -> None:
    """Write what waits, and no more."""
    writer = _writers.take_away()
    if writer is not None:
        await end([writer.task])
        writer.write(MOST_WAITING)
        _notes.drop_all()
        _notes.tell_dropped()


def note(  # noqa: PLR0913
    *,
    request_id: str,
    method: str,
    route: str,
    path: str,
    status: int,
    seconds: float,
    bytes_in: int,
    bytes_out: int,
    caller: str,
    account_id: int | None,
    tier: str,
    address: str,
    agent: bytes,
) -> None:
    """A request was answered; the fields are those of `Request`."""
    if len(_notes.waiting) >= _AT_ONCE:
        _notes.make_room()
    _notes.waiting.append(
        (
            time(),
            request_id,
            method,
            route,
            path,
            status,
            seconds,
            bytes_in,
            bytes_out,
            caller,
            account_id,
            tier,
            address,
            agent,
        )
    )


def note_socket(socket: Socket) -> None:
    """A WebSocket has ended."""
    if len(_notes.waiting) >= _AT_ONCE:
        _notes.make_room()
    _notes.waiting.append(socket)


def _form(noted: tuple[Any, ...]) -> access_lines.RequestLine | access_lines.SocketLine:
    if isinstance(noted, Socket):
        return access_lines.of_socket(noted)
    return access_lines.of_request(Request._make(noted))
