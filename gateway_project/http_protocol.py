"""The protocol of HTTP that the gateway speaks: bounded, and hot reads are answered at once."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway_project import hot_reads, house_headers
from gateway_project.bounded_http import BoundedHttp
from gateway_project.hot_answers import Ready
from gateway_project.hot_conditions import Conditions
from gateway_project.hot_reads import Limited
from gateway_project.house_headers import Pair
from realtime import hub
from realtime.board import Board


class _Underway:
    """A request that is being answered, as far as uvicorn's protocol looks at it."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "response_complete", "response_started")

    # Nobody waits for it.
    message_event = asyncio.Event()

    def __init__(self, keep_alive: bool) -> None:
        self.body = b""
        self.disconnected = self.response_complete = self.response_started = False
        self.keep_alive = keep_alive
        self.more_body = True


class HttpProtocol(BoundedHttp):
    """HTTP, of which hot reads are answered at once."""

    # True where the next answer is the last.
    is_ending = False
    _defaults: ClassVar[list[Pair]] = []
    _lines: ClassVar[bytes] = b""
    _board: Board | None = None
    # Of the request before: most that come over one connection have the same headers.
    _conditions: Conditions | None = None

    def _answer_at_once(self) -> bool:
        """Answer a hot read, in one write: through ASGI it would cost twice as much.

        Where limits have to be asked first, that is begun here.
        """
        plan = hot_reads.find_plan(self.url)
        if plan is None or not self._is_free():
            return False
        conditions = self._conditions
        if conditions is None or conditions.headers != self.headers:
            peer = None if self.client is None else self.client[0]
            conditions = self._conditions = Conditions(self.headers, peer, self.scheme)
        if self._board is None:
            self._board = hub.current().board
        outcome = hot_reads.at_once(self.parser.get_method(), plan, conditions, self._board)
        if outcome is None:
            return False
        keeps_alive = self.parser.should_keep_alive()
        if isinstance(outcome, Limited):
            self.cycle = underway = cast(Any, _Underway(keeps_alive))
            task = self.loop.create_task(self._answer_later(outcome, underway))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            self._write(outcome, keeps_alive)
        return True

    async def _answer_later(self, limited: Limited, underway: _Underway) -> None:
        ready = await limited.answer()
        underway.response_started = underway.response_complete = True
        if self.transport.is_closing():
            return
        self._write(ready, underway.keep_alive)

    def _write(self, ready: Ready, keeps_alive: bool) -> None:
        """Write the answer, and do after it what uvicorn does."""
        status, house, headers, body = ready
        if not keeps_alive:
            headers.append((b"connection", b"close"))
        self.transport.write(
            b"%b%b%b%b\r\n%b"
            % (
                STATUS_LINE[status],
                self._default_lines(),
                house.lines,
                house_headers.as_lines(headers),
                body,
            )
        )
        if not keeps_alive:
            self.transport.close()
        if self.pipeline:
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._begin_idling()

    def _is_free(self) -> bool:
        """True where nothing else is to be said first, or with the answer."""
        return (
            self._is_answered
            and not self.is_ending
            and not self.flow.write_paused
            and self.parser.get_http_version() == "1.1"
        )

    def _default_lines(self) -> bytes:
        """The server's own headers; they change once a second."""
        cls, defaults = type(self), self.server_state.default_headers
        if cls._defaults is not defaults:
            cls._defaults, cls._lines = defaults, house_headers.as_lines(defaults)
        return cls._lines
