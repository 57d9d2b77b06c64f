"""Ordering and cancelling explanations: each a verb in one transaction. What they owe NATS is in the outbox.

1. An order holds the row of its account: jobs in flight are counted, and idempotency keys are looked up,
   one order of the account after the other.
2. One prediction is computed once per depth. Whoever comes second waits in the unique index for the first,
   then joins. A computation that is joined or cancelled is held, so that none ends under its newest job.
3. Locks are taken in one direction, account before computation, and one computation at a time.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec
from django.db import transaction

from accounts.callers import Caller
from accounts.models import Account
from accounts.models.records import NO_ACCOUNT
from events import outbox
from events.explanations import Depth, PinnedPrediction
from explanations import idempotency, messages
from explanations.idempotency import Repeatable
from explanations.models import Computation, ExplanationJob
from observability import metrics

_TRIES = 20
_FINISHED = (Computation.State.DONE, Computation.State.FAILED)


class TooManyJobs(Exception):
    """The account has as many unfinished jobs as it may have."""


class UnknownJob(Exception):
    """There is no such job of this account."""


class JobFinished(Exception):
    """The job is done or failed: there is nothing left to cancel."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """The caller's job, with its computation; `is_repeated` if an earlier call with the same key got it."""

    job: ExplanationJob
    is_repeated: bool


@transaction.atomic
def order(
    *,
    caller: Caller,
    pinned: PinnedPrediction,
    depth: Depth,
    now: datetime,
    request_id: str,
    most_in_flight: int,
    repeatable: Repeatable | None = None,
) -> Ordered:
    """Order the explanation of `pinned` to `depth`. Raises `TooManyJobs`, `idempotency.KeyReused`."""
    account_id = _hold_account(caller)
    earlier = repeatable and idempotency.find(repeatable, account_id=account_id, now=now)
    if earlier:
        return Ordered(earlier, is_repeated=True)
    offered = _computation(pinned, depth, request_id, now)
    computation = _join_or_start(offered)
    if computation.finished_at is None and count_in_flight(account_id) >= most_in_flight:
        raise TooManyJobs
    is_new = computation.pk == offered.pk
    job = ExplanationJob.objects.create(
        id=computation.pk if is_new else uuid.uuid4(),
        computation=computation,
        account_id=account_id,
        key_id=caller.key_id,
        ordered_by=caller.name[:200],
        created_at=now,
        ended_at=None if computation.finished_at is None else now,
    )
    if repeatable is not None:
        idempotency.remember(repeatable, job, now=now)
    if is_new:
        messages.promise_order(
            computation_id=computation.pk, depth=depth, prediction=pinned, request_id=request_id, now=now
        )
    return Ordered(job, is_repeated=False)


@transaction.atomic
def cancel(*, job_id: uuid.UUID, account_id: int, now: datetime) -> None:
    """Cancel a job for good; a second time changes nothing. Nobody's computation is stopped.

    Raises `UnknownJob`, `JobFinished`.
    """
    job = ExplanationJob.objects.filter(pk=job_id, account_id=account_id).first()
    if job is None:
        raise UnknownJob
    computation = Computation.objects.select_for_update().filter(pk=job.computation_id).first()
    if computation is None:  # staff have requeued it in this instant, under another id
        job.refresh_from_db(fields=["computation"])
        computation = Computation.objects.select_for_update().get(pk=job.computation_id)
    still = ExplanationJob.objects.filter(pk=job.pk, cancelled_at=None)
    if computation.state in _FINISHED and still.exists():
        raise JobFinished
    still.update(cancelled_at=now, ended_at=now)
    if not ExplanationJob.objects.filter(computation=computation, cancelled_at=None).exists():
        stop(computation, now)


def stop(computation: Computation, now: datetime) -> None:
    """End a computation whose jobs have ended; nothing where it has ended itself."""
    unfinished = Computation.objects.filter(Computation.IS_UNFINISHED, pk=computation.pk)
    if unfinished.update(state=Computation.State.CANCELLED, heard_at=now, finished_at=now):
        outbox.drop([str(computation.pk)])
        messages.tell_to_leave(computation.pk)
        transaction.on_commit(metrics.jobs_ended.labels("cancelled", computation.depth).inc)


def end_jobs(computation_ids: Collection[uuid.UUID], now: datetime) -> None:
    """End the jobs of computations that have ended; whoever calls holds those rows."""
    ExplanationJob.objects.filter(computation__in=computation_ids, ended_at=None).update(ended_at=now)


def count_in_flight(account_id: int) -> int:
    """Jobs of the account that have not ended; never many more than it may have."""
    return ExplanationJob.objects.filter(account_id=account_id, ended_at=None).count()


def _hold_account(caller: Caller) -> int:
    """Hold the account's row until the end of the transaction; where rows cannot be held, the database is."""
    account_id = NO_ACCOUNT if caller.account_id is None else caller.account_id
    list(Account.objects.select_for_update(no_key=True).filter(pk=account_id).values_list("pk"))
    return account_id


def _computation(pinned: PinnedPrediction, depth: Depth, request_id: str, now: datetime) -> Computation:
    return Computation(
        symbol=pinned.symbol,
        depth=depth,
        prediction_timestamp=pinned.timestamp,
        model_version=pinned.model_version,
        prediction=msgspec.to_builtins(pinned),
        created_at=now,
        heard_at=now,
        request_id=request_id,
    )


def _join_or_start(offered: Computation) -> Computation:
    """The computation of the same thing that is there, held; else `offered`, new in the database."""
    shared = Computation.objects.select_for_update().filter(
        Computation.IS_SHARED,
        symbol=offered.symbol,
        prediction_timestamp=offered.prediction_timestamp,
        model_version=offered.model_version,
        depth=offered.depth,
    )
    for _ in range(_TRIES):
        # Not `first`: there is one at most, and an order could make a plan walk along all ids.
        for found in shared.defer("result", "prediction")[:1]:
            return found
        Computation.objects.bulk_create([offered], ignore_conflicts=True)
    raise RuntimeError("a computation was ended as often as it was begun")
