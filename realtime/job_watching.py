"""How a socket comes to watch a job of its account: found, watched, and told how it stands."""

from __future__ import annotations

import uuid

from django.core.exceptions import ObjectDoesNotExist
from django.db import Error as DatabaseFailure

from accounts.callers import Caller
from explanations import jobs
from observability import blocking
from realtime import explained
from realtime.connection import Connection
from realtime.protocol import limits, requests
from realtime.protocol.codes import Code
from realtime.watching import Watching


class NotWatched(Exception):
    """A job is not watched, for a reason that its asker is told."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


async def watch(watching: Watching, connection: Connection, request: requests.Watch, caller: Caller) -> None:
    """Let `connection` hear of a job of the caller's account; raises `NotWatched`."""
    try:
        job = await blocking.run(jobs.find, request.job_id, account_id=caller.account_id)
        if job is None:
            raise NotWatched(Code.UNKNOWN_JOB, "There is no such job of this account.")
        if not connection.closed:
            await _watch(watching, connection, str(job.computation_id), str(job.pk), request.id)
    except (DatabaseFailure, TimeoutError):
        detail = "Jobs cannot be read right now; try again in a moment."
        raise NotWatched(Code.STORE_UNAVAILABLE, detail) from None


async def _watch(
    watching: Watching, connection: Connection, computation_id: str, job_id: str, id_: str | None
) -> None:
    """Watch first and look afterwards, so that no end is missed in between."""
    if not watching.watch(connection, computation_id, job_id):
        detail = f"A connection watches {limits.MAX_WATCHES} jobs at most."
        raise NotWatched(Code.TOO_MANY_WATCHES, detail)
    try:
        state = await blocking.run(explained.current_news, uuid.UUID(computation_id))
    except (DatabaseFailure, TimeoutError):
        watching.unwatch(connection, computation_id)
        raise
    except ObjectDoesNotExist:
        watching.unwatch(connection, computation_id)
        raise NotWatched(Code.UNKNOWN_JOB, "There is no such job any more.") from None
    if watching.is_watched(connection, computation_id):
        watching.tell(connection, state, id_)
