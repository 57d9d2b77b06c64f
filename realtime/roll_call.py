"""Asking every server process about its connections: over the channel layer there, over Redis back.

Synchronous, for threads without an event loop. How many hubs will hear the question is asked of Redis first,
so that an answer of everyone ends the wait, and the page can say who is missing. Raises `RollCallUnavailable`
where Redis does not answer: what was asked may have been heard.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

from observability.guarded_redis import GuardedRedis
from observability.outages import Outage
from realtime import batches, roster
from realtime.roster import Answer, Closed, Disconnect, ProcessReport, Question, Report, Row, Wanted

logger = logging.getLogger(__name__)

WITHIN_S = 1.5
"""The longest that a page waits for answers."""

_SEND_WITHIN_S = 1.0
# Less than the time-out of the client, for which a Redis that has nothing yet would be one that hangs.
_POP_WITHIN_S = 0.5


class RollCallUnavailable(Exception):
    """Redis did not answer, or is known to be down right now."""


@dataclass(frozen=True, slots=True)
class RollCall:
    """Who answered, by host and process, of `expected` server processes; and the worst of their rows."""

    expected: int = 0
    reports: list[ProcessReport] = field(default_factory=list)

    @property
    def connections(self) -> int:
        """All, wanted or not."""
        return sum(one.connections for one in self.reports)

    @property
    def subscriptions(self) -> int:
        """Of all connections."""
        return sum(one.subscriptions for one in self.reports)

    @property
    def matching(self) -> int:
        """Those that are wanted."""
        return sum(one.matching for one in self.reports)

    def worst(self, most: int) -> list[tuple[ProcessReport, Row]]:
        """The worst `most` of the wanted ones, the worst first."""
        rows = [(one, row) for one in self.reports for row in one.rows]
        return sorted(rows, key=lambda pair: pair[1].badness, reverse=True)[:most]


def call_roll(wanted: Wanted, *, most: int) -> RollCall:
    """Ask every process for the worst `most` of its connections that are wanted."""
    expected, answers = _ask(Report(reply=_new_reply(), wanted=wanted, most=most))
    reports = [answer for answer in answers if isinstance(answer, ProcessReport)]
    return RollCall(expected, sorted(reports, key=lambda one: one.process))


def disconnect(ids: Sequence[str]) -> tuple[int, list[Closed]]:
    """Have the connections `ids` closed; returns how many processes were told, and what they have closed."""
    expected, answers = _ask(Disconnect(reply=_new_reply(), ids=list(ids)))
    return expected, [answer for answer in answers if isinstance(answer, Closed)]


def _ask(question: Question) -> tuple[int, list[Answer]]:
    """Put `question` to every hub; returns how many there are, and their answers."""
    expected = _count_hubs()
    if not expected:
        return 0, []
    try:
        async_to_sync(_send)(roster.encode_question(question))
    except (redis.RedisError, OSError, TimeoutError) as error:
        logger.error("the hubs could not be asked about connections: %s", type(error).__name__)
        raise RollCallUnavailable from error
    return expected, _collect(roster.KEY_PREFIX + question.reply, expected)


async def _send(message: dict[str, Any]) -> None:
    async with asyncio.timeout(_SEND_WITHIN_S):
        await get_channel_layer().group_send(batches.GROUP, message)


def _count_hubs() -> int:
    """How many processes listen to the group: a hub joins it once for its process."""
    layers = cast(Any, settings.CHANNEL_LAYERS)
    channel = f"{layers['default']['CONFIG']['prefix']}__group__{batches.GROUP}"
    counts: list[tuple[bytes, int]] = _redis().ask(lambda client: cast(Any, client.pubsub_numsub(channel)))
    return sum(count for _, count in counts)


def _collect(key: str, expected: int) -> list[Answer]:
    """The answers, until all are there or the time is over."""
    answers: list[Answer] = []
    deadline = time.monotonic() + WITHIN_S
    while len(answers) < expected and (left_s := deadline - time.monotonic()) > 0:
        value = _pop(key, min(_POP_WITHIN_S, left_s))
        if value is not None:
            answers += _read(value)
    return answers


def _pop(key: str, within_s: float) -> bytes | None:
    # Zero would be "for ever".
    popped: Any = _redis().ask(lambda client: cast(Any, client.blpop([key], timeout=max(0.01, within_s))))
    return None if popped is None else popped[1]


def _read(value: bytes) -> list[Answer]:
    try:
        return [roster.decode_answer(value)]
    except msgspec.DecodeError as error:
        logger.warning("ignoring a malformed answer about connections: %s", error)
        return []


def _new_reply() -> str:
    return secrets.token_hex(16)


_making = threading.Lock()


@functools.cache
def _make_redis() -> GuardedRedis:
    return GuardedRedis(
        settings.GATEWAY.redis_url,
        connections=settings.GATEWAY.worker_threads,
        outage=Outage("Redis (connections)"),
        unavailable=RollCallUnavailable,
    )


def _redis() -> GuardedRedis:
    with _making:
        return _make_redis()
