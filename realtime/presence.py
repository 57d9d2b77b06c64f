"""A hub's answers to the admin: who is connected here, and the end of those whom staff sends away.

1. Nothing of this may hold up a socket: a long look goes in slices, and the loop's other work comes between.
2. One look at a time; what waits behind it is bounded, and given up when nobody waits for its answer.
3. An answer is one value in a list in Redis that expires by itself (`realtime.roster`). Where it cannot be
   sent it is lost, and the page says that this process did not answer.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import os
import socket
import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.utils import timezone

from observability.per_loop import PerLoop
from observability.redis_link import RedisLink, RedisRefused, RedisUnavailable
from observability.tasks import end
from realtime import roster
from realtime.connection import Connection
from realtime.protocol.codes import Close, Code
from realtime.roster import Answer, Closed, Disconnect, Process, ProcessReport, Question, Report, Row, Search

if TYPE_CHECKING:
    from realtime.hub import Hub

logger = logging.getLogger(__name__)

TYPES = roster.TYPES
DETAIL = "Staff has closed this connection."

_SLICE_S = 0.002
_MOST_WAITING = 8
_GIVEN_UP_AFTER_S = 2.0
_FINISH_WITHIN_S = 1.0
_STARTED_AT = timezone.now()

# One step, so that no list is left behind without an end.
_ANSWER = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


def hear(hub: Hub, message: dict[str, Any]) -> None:
    """Take a question from the channel layer; it is answered in the background."""
    try:
        question = roster.decode_question(message)
    except msgspec.ValidationError as error:
        logger.warning("ignoring a malformed question about connections: %s", error)
        return
    _desks.current(_Desk).take(hub, question)


async def stop_current() -> None:
    """Answer what was asked in the running event loop, within `_FINISH_WITHIN_S`, and then nothing more."""
    if (desk := _desks.take_away()) is not None and desk.tasks:
        _, late = await asyncio.wait(desk.tasks, timeout=_FINISH_WITHIN_S)
        await end(late)


async def report(hub: Hub, question: Report) -> ProcessReport:
    """What there is to tell, looked together in slices."""
    look = _Look(question.most, Search(question.wanted))
    wanted = frozenset(question.wanted.ids)
    pause = _Pause()
    wall_us = time.time_ns() // 1000
    for connection in list(hub.connections.values()):
        if pause.is_due:
            await pause.take()
            wall_us = time.time_ns() // 1000
        look.at(connection, wall_us, is_wanted=not wanted or connection.id in wanted)
    rows = await _rows(look.worst, pause)
    return ProcessReport(
        process=this_process(),
        connections=look.connections,
        subscriptions=look.subscriptions,
        recent=len(hub.recent),
        recent_capacity=hub.memory,
        p50_ms=hub.lag.quantile_ms(0.5),
        p99_ms=hub.lag.quantile_ms(0.99),
        matching=look.matching,
        rows=sorted(rows, key=lambda row: row.badness, reverse=True),
    )


async def disconnect(hub: Hub, question: Disconnect) -> Closed:
    """Close those of the connections that are here."""
    pause = _Pause()
    rows = []
    for id_ in question.ids:
        if pause.is_due:
            await pause.take()
        connection = hub.connections.get(id_)
        if connection is not None and not connection.closed:
            rows.append(_row(connection, time.time_ns() // 1000))
            connection.refuse(Code.DISCONNECTED, DETAIL, Close.RESTART)
    if rows:
        logger.info("staff has closed %d connections", len(rows))
    return Closed(this_process(), rows)


def this_process() -> Process:
    """How this process is named to staff."""
    return Process(socket.gethostname(), os.getpid(), settings.GATEWAY.gateway_role, _STARTED_AT)


class _Desk:
    """The questions of one event loop that are being answered."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self._looking = asyncio.Lock()

    def take(self, hub: Hub, question: Question) -> None:
        """Answer `question` in its turn."""
        if len(self.tasks) >= _MOST_WAITING:
            logger.warning("too many questions about connections: one is not answered")
            return
        task = asyncio.get_running_loop().create_task(self._answer(hub, question))
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    async def _answer(self, hub: Hub, question: Question) -> None:
        if isinstance(question, Disconnect):
            await _send(question.reply, await disconnect(hub, question))
            return
        asked_at = hub.alarms.now()
        async with self._looking:
            if hub.alarms.now() - asked_at < _GIVEN_UP_AFTER_S:
                await _send(question.reply, await report(hub, question))

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a question about connections could not be answered", exc_info=error)


class _Look:
    """Totals of all connections, and the worst `most` of those that are wanted."""

    def __init__(self, most: int, search: Search) -> None:
        self.connections = 0
        self.subscriptions = 0
        self.matching = 0
        self._most = most
        self._search = search
        self._ties = itertools.count()
        # The least bad first, to be replaced by a worse one.
        self._heap: list[tuple[tuple[int, int, int, datetime], int, Connection]] = []

    @property
    def worst(self) -> list[Connection]:
        """In no order."""
        return [connection for _, _, connection in self._heap]

    def at(self, connection: Connection, wall_us: int, *, is_wanted: bool) -> None:
        """Look at one."""
        if connection.closed:
            return
        self.connections += 1
        self.subscriptions += len(connection.symbols)
        if not (is_wanted and self._matches(connection)):
            return
        self.matching += 1
        late_us = _late_us(connection, connection.behind_us(wall_us))
        badness = roster.badness(late_us, connection.dropped, connection.waiting, connection.peer.since)
        entry = (badness, next(self._ties), connection)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
        elif self._heap and entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def _matches(self, connection: Connection) -> bool:
        peer = connection.peer
        return self._search.matches_all or self._search.matches(
            id_=connection.id,
            name=peer.name,
            account_id=peer.account_id,
            address=peer.address,
            agent=peer.agent,
            symbols=connection.symbols,
        )


class _Pause:
    """Says when the event loop must have its turn, and gives it."""

    def __init__(self) -> None:
        self._due = time.perf_counter() + _SLICE_S

    @property
    def is_due(self) -> bool:
        """True after a slice."""
        return time.perf_counter() >= self._due

    async def take(self) -> None:
        """Let the others run; a slice begins."""
        await asyncio.sleep(0)
        self._due = time.perf_counter() + _SLICE_S


async def _rows(connections: Iterable[Connection], pause: _Pause) -> list[Row]:
    rows = []
    for connection in connections:
        if pause.is_due:
            await pause.take()
        if not connection.closed:  # it may have gone since it was looked at
            rows.append(_row(connection, time.time_ns() // 1000))
    return rows


def _row(connection: Connection, wall_us: int) -> Row:
    peer, lag_us = connection.peer, connection.behind_us(wall_us)
    first = itertools.islice(connection.symbols.items(), roster.SYMBOLS_SHOWN)
    return Row(
        id=connection.id,
        name=peer.name,
        account_id=peer.account_id,
        address=peer.address,
        agent=peer.agent,
        since=peer.since,
        symbols=[(symbol, terms.mode + _interval(terms.interval_s)) for symbol, terms in first],
        symbol_count=len(connection.symbols),
        sent=connection.sent,
        dropped=connection.dropped,
        waiting=connection.waiting,
        late_us=_late_us(connection, lag_us),
    )


def _late_us(connection: Connection, lag_us: int) -> int:
    """What of the lag is more than the longest interval that the client asked for."""
    if lag_us <= 0:
        return 0
    longest_s = max((terms.interval_s for terms in connection.symbols.values()), default=0.0)
    return max(0, lag_us - round(longest_s * 1_000_000))


def _interval(interval_s: float) -> str:
    return f" {interval_s * 1000:.0f} ms" if interval_s else ""


async def _send(reply: str, answer: Answer) -> None:
    """Put the answer where the admin waits for it, over a connection of its own: it is asked for rarely."""
    link = RedisLink(settings.GATEWAY.redis_url, name="connections")
    try:
        value = roster.encode_answer(answer)
        await link.call("EVAL", _ANSWER, 1, roster.KEY_PREFIX + reply, value, roster.ANSWER_TTL_S)
    except (RedisUnavailable, RedisRefused) as error:
        logger.warning("an answer about connections was lost: %s", error)
    finally:
        await link.close()


_desks: PerLoop[_Desk] = PerLoop()
