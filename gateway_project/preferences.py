"""``Prefer: wait=n`` (RFC 7240) of an order: its 202 is held back until the job has ended, n seconds at most.

1. Nobody waits in one of Django's threads: the order and the question how the job stands are two calls of
   Django, and between them a coroutine waits.
2. Everybody who waits in one event loop is asked for by one query, the more rarely the longer they wait.
3. What goes wrong after the order costs the waiting alone: the 202 is sent, since the order stands.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.db import Error as DatabaseFailure

from accounts.access import need_of
from accounts.authentication import SCOPE_KEY
from explanations import reads
from explanations.answers import status_url
from explanations.problems import OUTCOME_HEADER
from gateway_project.admission import Refused
from gateway_project.bodies import ClientGone
from observability import blocking

logger = logging.getLogger(__name__)

LONGEST_S = 30
MOST_WAITING = 1_000
"""In one process; whoever comes beyond that gets the 202 at once."""

_ORDER, _JOB = "explanation", "explanation-job"
_LONGEST_HEADER = 512
_ENDED = (200, 410)
_OUTCOME = OUTCOME_HEADER.lower().encode()
# Of the order's headers: what speaks of its body or asks for something that was done.
_OF_THE_ORDER = frozenset(
    {b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"expect"}
    | {b"prefer", b"idempotency-key", b"if-none-match"}
)
_KEPT = (b"location", b"idempotency-replayed")

# A preference is whatever stands between commas outside of quotes; its parameters come after a semicolon.
_PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_WAIT = re.compile(r'\s*wait\s*=\s*("?)([0-9]+)\1\s*(?:;.*)?', re.IGNORECASE | re.DOTALL)
_NAMED_WAIT = re.compile(r"\s*wait\s*(?:[=;]|\Z)", re.IGNORECASE)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def serve(route: str, scope: Scope, receive: Receive, send: Send, application: Application) -> None:
    """Let `application` answer, and wait for the end of what was ordered where the caller prefers that.

    Raises `ClientGone` when the caller does not wait to the end.
    """
    began_s = time.monotonic()
    wait_s = _wanted_s(route, scope)
    if wait_s is None:
        await application(scope, receive, send)
        return
    accepted = _Held()
    await application(scope, receive, accepted.take)
    job = accepted.job
    if job is None or _count_waiting() >= MOST_WAITING:
        await accepted.release(send)
        return
    applied = (b"preference-applied", b"wait=%d" % wait_s)
    left_s = wait_s - (time.monotonic() - began_s)
    if await _has_ended(job, receive, left_s):
        ended = await _ask(job.job_id, scope, application)
        if ended is not None:
            await ended.release(send, applied, *accepted.headers(_KEPT))
            return
    await accepted.release(send, applied)


def read_wait(prefer: str) -> int | None:
    """Seconds to wait, 0 to 30; None where the header asks for no waiting or cannot be read.

    Of several the first counts.
    """
    if len(prefer) > _LONGEST_HEADER:
        return None
    first = next((one for one in _PREFERENCE.findall(prefer) if _NAMED_WAIT.match(one)), "")
    found = _WAIT.fullmatch(first)
    return None if found is None else min(int(found[2]), LONGEST_S)


def _wanted_s(route: str, scope: Scope) -> int | None:
    if route != _ORDER or scope["method"] != "POST":
        return None
    prefer = b", ".join(value for name, value in scope["headers"] if name == b"prefer")
    need = need_of(_JOB, "GET")
    # The answer holds the explanation: whoever may not read it gets what an order gets.
    may_read = need is not None and need.scope in scope[SCOPE_KEY].caller.scopes
    return read_wait(prefer.decode("latin-1")) if may_read else None


class _Job(msgspec.Struct):
    """What is read of a 202."""

    job_id: uuid.UUID
    status: str


@dataclass(slots=True)
class _Held:
    """An answer that was given and not sent."""

    messages: list[Message] = field(default_factory=list)

    async def take(self, message: Message) -> None:
        """ASGI's `send`."""
        self.messages.append(message)

    @property
    def status(self) -> int:
        """Its status; 0 without an answer."""
        return int(self.messages[0]["status"]) if self.messages else 0

    @property
    def job(self) -> _Job | None:
        """The job of a 202."""
        if self.status != 202:
            return None
        return msgspec.json.decode(b"".join(m.get("body", b"") for m in self.messages), type=_Job)

    def headers(self, names: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
        """Those of its headers that are among `names`."""
        return [(n, v) for n, v in self.messages[0]["headers"] if n.lower() in names]

    async def release(self, send: Send, *more: tuple[bytes, bytes]) -> None:
        """Send it, with `more` headers."""
        for message in self.messages:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *more]
            await send(message)


async def _ask(job_id: uuid.UUID, scope: Scope, application: Application) -> _Held | None:
    """The answer to the question how the job stands; None where it tells of no end."""
    path = status_url(job_id)
    asked = {
        **scope,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(n, v) for n, v in scope["headers"] if n not in _OF_THE_ORDER],
    }
    answer = _Held()
    try:
        await application(asked, _no_body, answer.take)
    except Refused:  # no place in the queue
        return None
    return answer if answer.status in _ENDED or answer.headers((_OUTCOME,)) else None


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _has_ended(job: _Job, receive: Receive, wait_s: float) -> bool:
    """True once the job has ended, False after `wait_s`; `ClientGone` if the caller goes before."""
    if job.status not in ("queued", "running"):
        return True
    if wait_s <= 0:
        return False
    gone = asyncio.create_task(_disconnect(receive))
    ended = asyncio.create_task(_wait(job.job_id, wait_s))
    try:
        await asyncio.wait((gone, ended), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            gone.result()
            raise ClientGone
        return ended.result()
    finally:
        gone.cancel()
        ended.cancel()
        await asyncio.gather(gone, ended, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _wait(job_id: uuid.UUID, wait_s: float) -> bool:
    loop = asyncio.get_running_loop()
    polling = _polls.get(loop)
    if polling is None:
        polling = _polls[loop] = _Poll()
        # Not in the context of the request that happens to be the first.
        polling.task = loop.create_task(polling.run(), context=contextvars.Context())
    return await polling.wait(job_id, wait_s)


@dataclass(eq=False, slots=True)
class _Waiter:
    job_id: uuid.UUID
    since_s: float = field(default_factory=time.monotonic)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


class _Poll:
    """Asks for everybody who waits in one event loop; lives as long as somebody does."""

    _FIRST_S = 0.05
    _MOST_S = 0.25

    def __init__(self) -> None:
        self.waiters: set[_Waiter] = set()
        self.task: asyncio.Task[None] | None = None

    async def wait(self, job_id: uuid.UUID, wait_s: float) -> bool:
        """True once the job has ended, False after `wait_s`."""
        waiter = _Waiter(job_id)
        self.waiters.add(waiter)
        try:
            async with asyncio.timeout(wait_s):
                await waiter.ended.wait()
        except TimeoutError:
            return False
        finally:
            self.waiters.discard(waiter)
        return True

    async def run(self) -> None:
        """Ask until nobody waits any more."""
        try:
            while True:
                await asyncio.sleep(self._pause_s())
                if not self.waiters:
                    return
                await self._ask()
        finally:
            _polls.pop(asyncio.get_running_loop(), None)

    async def _ask(self) -> None:
        asked = {waiter.job_id for waiter in self.waiters}
        try:
            ended = await blocking.run(reads.ended_among, asked)
        except (DatabaseFailure, TimeoutError) as error:
            logger.debug("cannot ask after jobs: %s", type(error).__name__)  # they wait on
            return
        for waiter in self.waiters:
            if waiter.job_id in ended:
                waiter.ended.set()

    def _pause_s(self) -> float:
        """A tenth of how long the newest waiter waits: short at first, since most wait for quick ones."""
        if not self.waiters:
            return 0.0
        youngest_s = max(waiter.since_s for waiter in self.waiters)
        return min(self._FIRST_S + (time.monotonic() - youngest_s) / 10, self._MOST_S)


_polls: dict[asyncio.AbstractEventLoop, _Poll] = {}


def _count_waiting() -> int:
    return sum(len(polling.waiters) for polling in list(_polls.values()))
