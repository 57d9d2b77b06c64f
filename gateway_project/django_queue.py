"""The threads of this process that may use Django's database, and the queue for them, which has an end.

Requests that Django answers take a place here, and so do reads that need the record and nothing else of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections, reset_queries

from gateway_project.queue_shares import QueueShares, overloaded
from observability import blocking, exposition, metrics

T = TypeVar("T")

THREADS = ThreadPoolExecutor(settings.GATEWAY.worker_threads, thread_name_prefix="django")

# Beyond this many the caller is told to come back instead of waiting for a thread without an end.
_PLACES = 64 * settings.GATEWAY.worker_threads
_RETRY_S = 1
_queue = asyncio.Semaphore(_PLACES)
_shares = QueueShares(_PLACES // 4, retry_s=_RETRY_S)


@contextlib.asynccontextmanager
async def place(address: str) -> AsyncIterator[None]:
    """A place in the queue for a request from `address`; raises `Refused` where there is none."""
    if _queue.locked():
        raise overloaded(_RETRY_S)
    with _shares.hold(address):
        async with _queue:
            yield


async def run(address: str, function: Callable[..., T], *args: Any) -> T:
    """Call `function` in one of the threads for a request from `address`; may raise `Refused`.

    The database connection is given back.
    """
    call = functools.partial(contextvars.copy_context().run, _as_a_request, function, *args)
    async with place(address):
        return await asyncio.get_running_loop().run_in_executor(THREADS, call)


def _as_a_request(function: Callable[..., T], *args: Any) -> T:
    """With what Django does to its connections where a request begins, and where it ends."""
    reset_queries()
    close_old_connections()
    return blocking.with_connection_returned(functools.partial(function, *args))


def _sample() -> None:
    asked = _PLACES - _queue._value
    metrics.django_threads_busy.set(min(asked, settings.GATEWAY.worker_threads))
    metrics.django_requests_waiting.set(max(0, asked - settings.GATEWAY.worker_threads))


exposition.register(_sample)
