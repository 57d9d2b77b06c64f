"""Writes what was counted in this process, and deletes what is too old, in a rhythm of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.utils import timezone

from accounts import failures, last_use, sessions, usage
from accounts.models import AccessChange
from observability import blocking
from observability.outages import Outage

logger = logging.getLogger(__name__)

_PRUNE_EVERY_S = 3600.0
_CHANGES_KEPT = timedelta(hours=1)
_ENDED_LOGINS_KEPT = timedelta(days=7)

_outage = Outage("the database (usage)")


def flush() -> None:
    """Write usage, refused credentials and last uses; nothing is lost by the database errors it raises."""
    errors = []
    for write in (usage.flush, failures.flush, last_use.flush):
        try:
            write()
        except DatabaseFailure as error:  # what is wrong with one must not hold up the others
            errors.append(error)
    if errors:
        raise errors[0]


def prune(now: datetime) -> None:
    """Delete what is older than ``USAGE_RETENTION_DAYS``, ended logins, and changes everyone has seen."""
    oldest = now - timedelta(days=settings.GATEWAY.usage_retention_days)
    usage.prune(before=oldest)
    failures.prune(before=oldest)
    sessions.prune(before=now - _ENDED_LOGINS_KEPT)
    AccessChange.objects.filter(at__lt=now - _CHANGES_KEPT).delete()


async def flush_last() -> None:
    """Flush for the last time; what a database that is away does not take is lost, and the log says so."""
    try:
        await blocking.run(flush)
    except (DatabaseFailure, TimeoutError) as error:
        logger.error("the usage of the last seconds is lost: %s", type(error).__name__)


async def run_flusher(*also_prune: Callable[[datetime], object]) -> None:
    """Flush every ``USAGE_FLUSH_S`` and prune every hour, other apps' rows too, until cancelled."""
    pruned_at = float("-inf")
    while True:
        await asyncio.sleep(settings.GATEWAY.usage_flush_s)
        try:
            await blocking.run(flush)
            if time.monotonic() - pruned_at > _PRUNE_EVERY_S:
                # Noted before: what takes too long must not be begun again while it still goes on.
                pruned_at = time.monotonic()
                for one in (prune, *also_prune):
                    await blocking.run(one, timezone.now())
            _outage.succeeded()
        except (DatabaseFailure, TimeoutError) as error:
            _outage.failed(error)
        except Exception:
            # Counting must go on, whatever one flush has met.
            logger.exception("could not write usage")
