"""Reading finished explanations: Redis first, the database on a miss, the value put back; and who has ended.

REST reads through here; what is newest is the same in both stores: the newest prediction's explanation, and
of several of one prediction the one that was made last.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection

from django.db import Error as DatabaseFailure

from explanations import store
from explanations.documents import ExplanationDocument
from explanations.models import Computation, ExplanationJob
from explanations.store import StoreUnavailable
from predictions.reads import NoStoreReachable

logger = logging.getLogger(__name__)


def newest_explanation(symbol: str, depth: str | None) -> ExplanationDocument | None:
    """The newest finished explanation of `symbol`, of `depth` or of any; None without one.

    One GET; one query if Redis does not have it. Raises `NoStoreReachable` when the database fails too.
    """
    held = store.store()
    try:
        found = held.get(symbol, depth)
        redis_answered = True
    except StoreUnavailable:
        found, redis_answered = None, False
    if found is not None:
        return found
    try:
        recorded = _recorded(symbol, depth)
    except DatabaseFailure as error:
        raise NoStoreReachable from error
    if recorded is not None and redis_answered:
        _put_back(held, recorded)
    return recorded


def ended_among(job_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Those of `job_ids` whose jobs are done, failed or cancelled. One query."""
    found = ExplanationJob.objects.filter(pk__in=job_ids, ended_at__isnull=False).order_by()
    return set(found.values_list("pk", flat=True))


def _recorded(symbol: str, depth: str | None) -> ExplanationDocument | None:
    done = Computation.objects.filter(Computation.IS_DONE, symbol=symbol)
    if depth is not None:
        done = done.filter(depth=depth)
    row = done.order_by("-prediction_timestamp", "-finished_at").first()
    return None if row is None else store.document_of(row)


def _put_back(held: store.ExplanationStore, recorded: ExplanationDocument) -> None:
    try:
        held.put([recorded])
    except StoreUnavailable:
        # The answer is good without it; the store has logged the outage.
        logger.debug("could not put the explanation of %s back", recorded.symbol)
