"""What a bridge looks up for Prometheus: how much waits in JetStream, in the outbox and among the jobs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from pathlib import Path

import nats.errors
from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db.models import Count, Min
from django.utils import timezone
from nats.js.errors import Error as JetStreamError

from events import streams
from events.connection import Connection
from events.explanations import DEPTHS
from events.models import OutboxMessage
from explanations.models import Computation
from observability import blocking, metrics

logger = logging.getLogger(__name__)

_EVERY_S = 5.0


for _depth in DEPTHS:
    for _outcome in ("done", "failed", "cancelled"):
        metrics.jobs_ended.labels(_outcome, _depth)


async def watch_for_ever(connection: Connection, durable: str) -> None:
    """Look every few seconds; what is away keeps its last value."""
    while True:
        with contextlib.suppress(TimeoutError, nats.errors.Error, JetStreamError):
            consumer = await connection.jetstream.consumer_info(streams.PREDICTIONS.name, durable)
            metrics.bridge_waiting.set(consumer.num_pending or 0)
            letters = await connection.jetstream.stream_info(streams.DEAD_LETTERS.name)
            metrics.dead_letters.set(letters.state.messages)
        with contextlib.suppress(DatabaseFailure, TimeoutError):
            await blocking.run(_look_into_database)
        _look_at_disk(settings.GATEWAY.data_dir)
        await asyncio.sleep(_EVERY_S)


def _look_into_database() -> None:
    owed = OutboxMessage.objects.filter(published_at=None).aggregate(
        rows=Count("pk"), oldest=Min("created_at")
    )
    oldest = owed["oldest"]
    metrics.outbox_rows.set(owed["rows"])
    metrics.outbox_oldest.set(0 if oldest is None else max(0.0, (timezone.now() - oldest).total_seconds()))
    found = Computation.objects.filter(Computation.IS_UNFINISHED).values_list("state")
    counts = dict(found.annotate(Count("pk")).order_by())
    for state in Computation.UNFINISHED:
        metrics.jobs.labels(state.value).set(counts.get(state, 0))


def _look_at_disk(folder: Path) -> None:
    """The embedded servers keep their files there; elsewhere there is no such folder."""
    if folder.is_dir():
        usage = shutil.disk_usage(folder)
        metrics.disk_free.set(usage.free)
        metrics.disk_size.set(usage.total)
