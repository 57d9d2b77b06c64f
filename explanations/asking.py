"""How jobs stand, asked for on the event loop: everybody who asks meanwhile shares the next query.

So the answer is as true as one query each would be, and a thousand who poll cost the database little.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

from django.db import Error as DatabaseFailure
from django.utils import timezone

from explanations import jobs, standing
from explanations.models import Computation
from observability import blocking
from observability.per_loop import PerLoop
from predictions import rendering
from predictions.compression import Body

logger = logging.getLogger(__name__)

_MOST_A_QUERY = 200
_MOST_WAITING = 5_000
_MOST_DONE = 1_000
_DONE_KEPT_S = 60.0


class Done(NamedTuple):
    """A job with its explanation: validator and JSON."""

    account_id: int
    tag: str
    body: Body


class Pending(NamedTuple):
    """A job that has not ended: headers and JSON of its 202."""

    account_id: int
    headers: dict[str, str]
    body: Body


class CannotTell(Exception):
    """The database does not answer, or too many wait for it."""


class Asking:
    """Asks on behalf of one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[uuid.UUID, asyncio.Future[Done | Pending | None]] = {}
        self._task: asyncio.Task[None] | None = None
        # What is done does not change any more; remembered for as long as its readers may keep it.
        self._done: OrderedDict[uuid.UUID, tuple[Done, float]] = OrderedDict()

    async def find(self, job_id: uuid.UUID, *, account_id: int | None) -> Done | Pending | None:
        """How the job of the account stands; None for one that is neither done nor pending, or not its own.

        Raises `CannotTell`.
        """
        found = self._remembered(job_id) or await self._ask(job_id)
        return found if found is not None and found.account_id == account_id else None

    def _remembered(self, job_id: uuid.UUID) -> Done | None:
        held = self._done.get(job_id)
        if held is None:
            return None
        if not self._is_old(held):
            return held[0]
        del self._done[job_id]
        return None

    async def _ask(self, job_id: uuid.UUID) -> Done | Pending | None:
        loop = asyncio.get_running_loop()
        answer = self._waiting.get(job_id)
        if answer is None:
            if len(self._waiting) >= _MOST_WAITING:
                raise CannotTell
            answer = self._waiting[job_id] = loop.create_future()
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await asyncio.shield(answer)

    async def _run(self) -> None:
        while self._waiting:
            asked = {job_id: self._waiting.pop(job_id) for job_id in list(self._waiting)[:_MOST_A_QUERY]}
            try:
                found = await blocking.run(_read, list(asked))
            except Exception as error:
                # Whatever it is: somebody waits for each of these, and Django can tell what is wrong.
                if not isinstance(error, DatabaseFailure | TimeoutError):
                    logger.exception("jobs cannot be read")
                for answer in asked.values():
                    _settle(answer, CannotTell())
                continue
            self._remember(found)
            for job_id, answer in asked.items():
                _settle(answer, found.get(job_id))

    def _remember(self, found: dict[uuid.UUID, Done | Pending]) -> None:
        now_s = asyncio.get_running_loop().time()
        self._done.update((i, (one, now_s)) for i, one in found.items() if isinstance(one, Done))
        while self._done and (len(self._done) > _MOST_DONE or self._is_old(next(iter(self._done.values())))):
            self._done.popitem(last=False)

    @staticmethod
    def _is_old(held: tuple[Done, float]) -> bool:
        return asyncio.get_running_loop().time() - held[1] >= _DONE_KEPT_S


def _settle(answer: asyncio.Future[Done | Pending | None], found: Done | Pending | CannotTell | None) -> None:
    if answer.done():
        return
    if isinstance(found, CannotTell):
        answer.set_exception(found)
        answer.exception()  # it may be that nobody waits any more
    else:
        answer.set_result(found)


def _read(job_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Done | Pending]:
    now = timezone.now()
    found: dict[uuid.UUID, Done | Pending] = {}
    for job in jobs.find_all(job_ids):
        if job.state == Computation.State.DONE:
            with contextlib.suppress(ValueError):  # a row that cannot be shown is Django's to answer
                tag, make = standing.done(job)
                found[job.pk] = Done(job.account_id, tag, Body(rendering.encode(make())))
        elif job.state in Computation.UNFINISHED:
            headers, body = standing.pending(job, now)
            found[job.pk] = Pending(job.account_id, headers, Body(rendering.encode(body)))
    return found


_askings: PerLoop[Asking] = PerLoop()


def current() -> Asking:
    """That of the running event loop."""
    return _askings.current(Asking)


def stop_current() -> None:
    """Forget that of the running event loop."""
    _askings.take_away()
