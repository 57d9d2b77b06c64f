"""What workers are told of a computation: to explain it, and to leave it. Both reach NATS after a commit."""

from __future__ import annotations

import functools
import uuid
from datetime import datetime

from django.db import transaction

from events import outbox, relay, streams
from events.explanations import Depth, ExplainOrder, PinnedPrediction, encode
from events.outbox import Outgoing
from observability import request_context, tracing


def promise_order(
    *, computation_id: uuid.UUID, depth: Depth, prediction: PinnedPrediction, request_id: str, now: datetime
) -> None:
    """Promise the order in the caller's transaction; its message id is the computation's."""
    order = ExplainOrder(job_id=computation_id, depth=depth, prediction=prediction, ordered_at=now)
    outgoing = Outgoing(
        msg_id=str(computation_id),
        subject=streams.EXPLAIN,
        payload=encode(order),
        headers=({streams.REQUEST_ID_HEADER: request_id} if request_id else {}) | tracing.headers(),
    )
    outbox.promise(outgoing, now=now)
    transaction.on_commit(functools.partial(relay.hand_over, outgoing), robust=True)


def tell_to_leave(computation_id: uuid.UUID) -> None:
    """Tell the workers, after the commit, that nobody waits for it; who does not hear computes in vain."""
    request_id = request_context.current()
    tell = functools.partial(
        relay.tell,
        streams.EXPLAIN_CANCELLED,
        str(computation_id).encode(),
        headers={streams.REQUEST_ID_HEADER: request_id} if request_id else {},
    )
    transaction.on_commit(tell, robust=True)
