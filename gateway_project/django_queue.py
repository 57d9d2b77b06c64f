"""The threads of this process that may use Django's database, and the queue for them, which has an end.

Requests that Django answers go through here, and reads that need the record and nothing else of Django.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings

from gateway_project.admission import Refused
from gateway_project.django_threads import DjangoThreads
from gateway_project.wsgi import application as django_wsgi
from observability import exposition, metrics

T = TypeVar("T")

# WSGI in a fixed number of threads costs a fifth of Django's own ASGI handler, which starts threads per
# request (docs/adr/0001).
_threads = DjangoThreads(django_wsgi, workers=settings.GATEWAY.worker_threads)

# Beyond this many the caller is told to come back instead of waiting for a thread without an end.
_PLACES = 64 * settings.GATEWAY.worker_threads
_queue = asyncio.Semaphore(_PLACES)


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Let Django answer a request, once there is a thread for it; raises `Refused` where too many wait."""
    _refuse_if_full()
    async with _queue:
        await _threads(scope, receive, send)


async def run(function: Callable[..., T], *args: Any) -> T:
    """Call `function`, which may ask the database, once there is a thread for it; may raise `Refused`."""
    _refuse_if_full()
    async with _queue:
        return await _threads.run(function, *args)


def _refuse_if_full() -> None:
    if _queue.locked():
        raise Refused("OVERLOADED", headers=[("Retry-After", "1")], retry_after=1)


def _sample() -> None:
    asked = _PLACES - _queue._value
    metrics.django_threads_busy.set(min(asked, settings.GATEWAY.worker_threads))
    metrics.django_requests_waiting.set(max(0, asked - settings.GATEWAY.worker_threads))


exposition.register(_sample)
