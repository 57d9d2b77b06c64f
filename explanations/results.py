"""What workers say about a computation, applied to its row; and the rows that nobody has spoken of. I/O only.

1. Every event may come twice, late, and to several processes at once: only a row that is unfinished changes,
   and it is held while that is decided.
2. Rows are held in the order of their ids, so that two batches never wait for each other in a circle.
3. What a computation owes NATS is dropped in the transaction that finishes it.

Every function raises Django's database errors and may be repeated.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import cast

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from events import explanations, outbox
from events.explanations import Depth, ExplanationCompleted, ExplanationFailed, ExplanationProgress
from events.prediction_updated import PayloadRefused
from explanations import documents, ordering
from explanations.models import Computation, ExplanationJob
from observability import metrics

Event = ExplanationProgress | ExplanationCompleted | ExplanationFailed

_WRITTEN = [
    "state",
    "progress",
    "stage",
    "attempts",
    "reason",
    "result",
    "took_s",
    "heard_at",
    "finished_at",
]
_MOST_ATTEMPTS = 2**31 - 1
_LONGEST_REASON = 500


@transaction.atomic
def apply(events: Sequence[Event], *, now: datetime) -> list[Computation]:
    """Apply `events` in their order; returns each computation that changed, once, as it is then.

    A handful of statements, however many events.
    """
    ids = {event.job_id for event in events}
    held = {row.pk: row for row in _unfinished(ids).order_by("pk").select_for_update()}
    heard: dict[uuid.UUID, Computation] = {}
    changed: dict[uuid.UUID, Computation] = {}
    for event in events:
        row = held.get(event.job_id)
        if row is None or row.finished_at is not None:
            continue
        row.heard_at, heard[row.pk] = now, row
        if _change(row, event, now):
            changed[row.pk] = row
    if heard:
        Computation.objects.bulk_update(heard.values(), _WRITTEN)
        ended = [row.pk for row in heard.values() if row.finished_at is not None]
        outbox.drop([str(id_) for id_ in ended])
        ordering.end_jobs(ended, now)
    return list(changed.values())


def unheard(*, silence_s: float, now: datetime, most: int) -> list[str]:
    """Ids of unfinished computations without a sign of life for `silence_s`, the longest silence first."""
    silent = Computation.objects.filter(
        Computation.IS_UNFINISHED, heard_at__lt=now - timedelta(seconds=silence_s)
    )
    return [str(id_) for id_ in silent.order_by("heard_at").values_list("pk", flat=True)[:most]]


def touch(ids: Iterable[str], *, now: datetime) -> None:
    """Note a sign of life of those of `ids` that are unfinished."""
    _unfinished(map(uuid.UUID, ids)).update(heard_at=now)


@transaction.atomic
def end_left(*, now: datetime, most: int) -> int:
    """End jobs that have outlived their computations; returns of how many computations.

    A process of an earlier version ends a computation alone. Such jobs would be in flight for ever.
    """
    left = ExplanationJob.objects.filter(ended_at=None, computation__finished_at__isnull=False).order_by()
    ids = set(left.values_list("computation_id", flat=True)[:most])
    ended = Computation.objects.filter(pk__in=ids, finished_at__isnull=False).order_by("pk")
    held = list(ended.select_for_update().values_list("pk", flat=True))
    ordering.end_jobs(held, now)
    return len(held)


def _unfinished(ids: Iterable[uuid.UUID]) -> QuerySet[Computation]:
    return Computation.objects.filter(Computation.IS_UNFINISHED, pk__in=list(ids))


def _change(row: Computation, event: Event, now: datetime) -> bool:
    """Put `event` into the row; False where it tells nothing new."""
    match event:
        case ExplanationProgress():
            return _advance(row, event)
        case ExplanationCompleted():
            _complete(row, event, now)
        case ExplanationFailed():
            _end(row, Computation.State.FAILED, event.attempt, event.at, now)
            row.reason = event.reason
    return True


def _advance(row: Computation, event: ExplanationProgress) -> bool:
    attempt = min(event.attempt, _MOST_ATTEMPTS)
    known, told = (row.attempts, row.progress), (attempt, event.progress)
    if told < known or (told == known and event.stage == row.stage):
        return False
    row.state = Computation.State.RUNNING
    row.attempts, row.progress, row.stage = attempt, event.progress, event.stage
    return True


def _complete(row: Computation, event: ExplanationCompleted, now: datetime) -> None:
    """Take the explanation; one that does not fit what was ordered fails the job instead of misleading."""
    move = documents.pinned_from(row.prediction).move
    try:
        explanations.check_explanation(event.explanation, depth=cast(Depth, row.depth), move=move)
    except PayloadRefused as error:
        _end(row, Computation.State.FAILED, event.attempt, event.generated_at, now)
        row.reason = f"The explanation was refused: {error}."[:_LONGEST_REASON]
        return
    _end(row, Computation.State.DONE, event.attempt, event.generated_at, now)
    row.progress = 1.0
    row.result = msgspec.to_builtins(event.explanation)
    row.took_s = event.took_s


def _end(row: Computation, state: Computation.State, attempt: int, at: datetime, now: datetime) -> None:
    """Finish the row. The worker's clock may be wrong, but nothing ends before it began or in the future."""
    row.state = state
    row.attempts = max(row.attempts, min(attempt, _MOST_ATTEMPTS))
    row.finished_at = max(row.created_at, min(at, now))
    metrics.jobs_ended.labels(state.value, row.depth).inc()
    metrics.job_duration.labels(row.depth).observe((row.finished_at - row.created_at).total_seconds())
