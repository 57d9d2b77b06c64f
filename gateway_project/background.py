"""What a server process does beside answering: follow access changes, write counts, publish promises.

Started in lifespan, and at the first request by servers that have none (daphne).
"""

from __future__ import annotations

import asyncio

from django.conf import settings

from accounts import flushing, following, limiter
from events import relay, streams
from explanations import idempotency
from gateway_project import pool_metrics
from observability import exposition
from observability.per_loop import PerLoop
from observability.tasks import end
from realtime import socket_metrics

_flushers: PerLoop[asyncio.Task[None]] = PerLoop()
_samplers: PerLoop[asyncio.Task[None]] = PerLoop()


def start() -> None:
    """Begin; a second call in the same event loop does nothing."""
    _flushers.current(_begin)
    _samplers.current(_begin_to_sample)


async def stop() -> None:
    """End it all, and write what was counted last."""
    sampling = _samplers.take_away()
    if sampling is not None:
        await end([sampling])
    task = _flushers.take_away()
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await flushing.flush_last()
    await relay.stop_current()
    await limiter.stop_current()


def _begin() -> asyncio.Task[None]:
    following.current()
    relay.start_current(settings.GATEWAY.nats_url, streams.JOBS, name="web")
    return asyncio.get_running_loop().create_task(flushing.run_flusher(idempotency.prune))


def _begin_to_sample() -> asyncio.Task[None]:
    exposition.register(pool_metrics.sample)
    if settings.GATEWAY.gateway_role != "web" or settings.GATEWAY.hot_reads:
        socket_metrics.begin()
    return asyncio.get_running_loop().create_task(exposition.sample_for_ever())
