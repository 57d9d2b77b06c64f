"""What a server process does beside answering: follow access changes, write counts, publish promises.

Started in lifespan, and at the first request by servers that have none (daphne).
"""

from __future__ import annotations

import asyncio

from django.conf import settings

from accounts import flushing, following, limiter
from events import relay, streams
from explanations import idempotency
from gateway_project import health, pool_metrics
from observability import access_log, exposition, logging, tracing
from observability.per_loop import PerLoop
from observability.tasks import end
from realtime import socket_metrics

_flushers: PerLoop[asyncio.Task[None]] = PerLoop()
_samplers: PerLoop[list[asyncio.Task[None]]] = PerLoop()


def start() -> None:
    """Begin; a second call in the same event loop does nothing."""
    _flushers.current(_begin)
    _samplers.current(_begin_to_sample)
    config = settings.GATEWAY
    tracing.begin(config.otel_exporter_otlp_endpoint, service="web", ratio=config.otel_traces_sampler_arg)
    if config.writes_access_log:
        access_log.start_current(pretty=logging.is_pretty(config.log_format))


async def stop() -> None:
    """End it all, and write what was counted last."""
    sampling = _samplers.take_away()
    if sampling is not None:
        await end(sampling)
    task = _flushers.take_away()
    if task is not None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await flushing.flush_last()
    await relay.stop_current()
    await limiter.stop_current()
    await access_log.stop_current()
    await asyncio.to_thread(tracing.end)


def _begin() -> asyncio.Task[None]:
    following.current()
    relay.start_current(settings.GATEWAY.nats_url, streams.JOBS, name="web")
    return asyncio.get_running_loop().create_task(flushing.run_flusher(idempotency.prune))


def _begin_to_sample() -> list[asyncio.Task[None]]:
    exposition.register(pool_metrics.sample)
    socket_metrics.begin()
    loop = asyncio.get_running_loop()
    return [loop.create_task(exposition.sample_for_ever()), loop.create_task(health.watch_for_ever())]
