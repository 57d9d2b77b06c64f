"""What staff do to computations: verbs in one transaction each, audited. What they owe NATS is in the outbox.

A requeued computation goes on under a new id, for an order under the old one would come to nothing:
1. JetStream drops a second message with a known ``Nats-Msg-Id`` for two minutes, consumed or not.
2. Workers acknowledge whatever was cancelled without an event, and join an order to one that they hold.
3. Late events about the first try would end the second one.
The row stays, and its jobs keep the ids that callers know. A caller who cancels in the same instant may find
the old id gone, and a socket that watches an unfinished job has to ask again: both are rare, and tolerable.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import cast

from django.db import IntegrityError, transaction
from django.db.models import F

from accounts import audit
from events import outbox
from events.explanations import Depth
from explanations import documents, messages, ordering
from explanations.models import Computation, ExplanationJob

AUDIT_KIND = "explanation"


class UnknownComputation(Exception):
    """There is no such computation, or no longer under this id."""


class AlreadyDone(Exception):
    """The computation is done: there is nothing to repeat."""


class ComputedElsewhere(Exception):
    """Another computation of the same thing is there by now, or under way."""


class NothingToCancel(Exception):
    """The computation has ended."""


@transaction.atomic
def requeue(*, computation_id: uuid.UUID, actor: str, now: datetime) -> uuid.UUID:
    """Begin a computation that is not done anew, under the id that is returned; its jobs go with it.

    Raises `UnknownComputation`, `AlreadyDone`, `ComputedElsewhere`; then nothing has changed.
    """
    computation = _hold(computation_id)
    if computation.state == Computation.State.DONE:
        raise AlreadyDone
    was_unfinished = computation.state in Computation.UNFINISHED
    new_id = _start_over(computation, now)
    # In flight again, but for those that were cancelled.
    ExplanationJob.objects.filter(computation_id=computation_id).update(
        computation_id=new_id, ended_at=F("cancelled_at")
    )
    outbox.drop([str(computation_id)])
    if was_unfinished:
        messages.tell_to_leave(computation_id)
    messages.promise_order(
        computation_id=new_id,
        depth=cast(Depth, computation.depth),
        prediction=documents.pinned_from(computation.prediction),
        request_id=computation.request_id,
        now=now,
    )
    audit.record(
        actor=actor,
        action="explanation.requeue",
        kind=AUDIT_KIND,
        subject_id=new_id,
        subject=str(computation),
        was=str(computation_id),
        state=computation.state,
        attempts=computation.attempts,
        reason=computation.reason,
    )
    return new_id


@transaction.atomic
def cancel(*, computation_id: uuid.UUID, actor: str, now: datetime) -> None:
    """End a computation for everybody who waits for it. Raises `UnknownComputation`, `NothingToCancel`."""
    computation = _hold(computation_id)
    if computation.state not in Computation.UNFINISHED:
        raise NothingToCancel
    ordering.end_jobs([computation_id], now)
    ordering.stop(computation, now)
    audit.record(
        actor=actor,
        action="explanation.cancel",
        kind=AUDIT_KIND,
        subject_id=computation_id,
        subject=str(computation),
        state=computation.state,
        progress=computation.progress,
    )


def _hold(computation_id: uuid.UUID) -> Computation:
    computation = Computation.objects.select_for_update().defer("result").filter(pk=computation_id).first()
    if computation is None:
        raise UnknownComputation
    return computation


def _start_over(computation: Computation, now: datetime) -> uuid.UUID:
    """Put the row into the queue under a new id, unless another stands for the same thing."""
    same = Computation.objects.filter(
        Computation.IS_SHARED,
        symbol=computation.symbol,
        prediction_timestamp=computation.prediction_timestamp,
        model_version=computation.model_version,
        depth=computation.depth,
    )
    if same.exclude(pk=computation.pk).exists():
        raise ComputedElsewhere
    new_id = uuid.uuid4()
    try:
        with transaction.atomic():
            Computation.objects.filter(pk=computation.pk).update(
                id=new_id,
                state=Computation.State.QUEUED,
                progress=0.0,
                stage="",
                attempts=0,
                reason="",
                took_s=None,
                heard_at=now,
                finished_at=None,
            )
    except IntegrityError:  # ordered in this instant
        raise ComputedElsewhere from None
    return new_id
