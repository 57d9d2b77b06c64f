"""Waiting for an explanation: when to ask for its job again, and when to give up. Pure."""

from __future__ import annotations

from prediction_gateway.errors import JobTimeoutError
from prediction_gateway.models import Job

_ORDER_WAIT_S = 2
_USUAL_PAUSE_S = 1.0
_SHORTEST_PAUSE_S = 0.1


def order_wait_s(wait_s: float) -> int:
    """How long the order itself is held back: most explanations are done by then, and cost one call."""
    return min(_ORDER_WAIT_S, int(wait_s))


def pause_s(job: Job, *, wait_s: float, waited_s: float) -> float:
    """Seconds until to ask for `job` again. Raises `JobTimeoutError` when `wait_s` are over."""
    if job.status in ("done", "failed", "cancelled"):
        return 0.0  # its own address tells the explanation, or why there is none
    if waited_s >= wait_s:
        raise JobTimeoutError(job.job_id, wait_s)
    asked = _USUAL_PAUSE_S if job.retry_after is None else max(_SHORTEST_PAUSE_S, job.retry_after)
    return min(asked, wait_s - waited_s)
