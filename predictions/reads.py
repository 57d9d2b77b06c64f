"""Reading the newest predictions: Redis first, the record on a miss, and the value put back.

The one rule of where a value comes from; REST and sockets both read through here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import Error as DatabaseFailure

from observability import metrics
from predictions import newest, record
from predictions.documents import PredictionDocument
from predictions.newest import NewestUnavailable

logger = logging.getLogger(__name__)


class NoStoreReachable(Exception):
    """Neither Redis nor the database could answer."""


def newest_predictions(symbols: Sequence[str], *, asked_by: str = "socket") -> dict[str, PredictionDocument]:
    """The newest prediction of each symbol that has one; `asked_by` is the route that is counted.

    One MGET; one query for what Redis does not have. Raises `NoStoreReachable` when Redis has not
    answered for every symbol and the database fails too.
    """
    store = newest.store()
    try:
        found = store.get_many(symbols)
        redis_answered = True
    except NewestUnavailable:
        found, redis_answered = {}, False
    missing = [symbol for symbol in symbols if symbol not in found]
    if not missing:
        metrics.reads.labels(asked_by, "redis").inc()
        return found
    try:
        recorded = record.newest(missing)
    except DatabaseFailure as error:
        raise NoStoreReachable from error
    metrics.reads.labels(asked_by, "record" if recorded else "none").inc()
    if recorded and redis_answered:
        _put_back(store, recorded)
    return found | recorded


def predictions_at(
    symbols: Sequence[str], moment: datetime, *, asked_by: str
) -> dict[str, PredictionDocument]:
    """What was the newest prediction of each symbol at `moment`. One query; Redis knows nothing of it.

    Raises `NoStoreReachable` when the database fails.
    """
    try:
        found = record.newest(symbols, upto=moment)
    except DatabaseFailure as error:
        raise NoStoreReachable from error
    metrics.reads.labels(asked_by, "record" if found else "none").inc()
    return found


def _put_back(store: newest.NewestStore, recorded: dict[str, PredictionDocument]) -> None:
    try:
        store.put_if_newer(recorded.values())
    except NewestUnavailable:
        # The answer is good without it; the store has logged the outage.
        logger.debug("could not put %d values back", len(recorded))
