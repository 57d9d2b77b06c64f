"""The REST routes of explanations: decode, call, encode. What goes wrong: `explanations.problems`."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.bodies import read_body, read_query
from accounts.callers import Caller
from accounts.models.records import NO_ACCOUNT
from events.explanations import Depth
from explanations import answers, estimates, idempotency, jobs, ordering, pinning, problems, reads, standing
from explanations.idempotency import Repeatable
from explanations.models import Computation, ExplanationJob
from explanations.ordering import Ordered
from explanations.serializers import DepthQuery, OrderBody
from explanations.standing import UNCACHED
from observability import request_context
from predictions.views import cached, checked_symbol

logger = logging.getLogger(__name__)

ROUTE = "explanation"
_NO_JOB = uuid.UUID(int=0)


class _ExplanationView(viewsets.ViewSet):
    def handle_exception(self, exc: Exception) -> Response:
        """The answer to `exc`."""
        response = super().handle_exception(problems.as_answer(exc))
        if isinstance(exc, problems.ExplanationFailed):
            response[problems.OUTCOME_HEADER] = "failed"
            # What Django asks before it logs a 500: this one is an answer that was asked for.
            response._has_been_logged = True  # type: ignore[attr-defined]
        return response


class ExplanationViewSet(_ExplanationView):
    """``/api/explanation/{symbol}``: ordering explanations, and the newest that there is."""

    def retrieve(self, request: Request, symbol: str) -> Response:
        """200, 304; 400, 404 `UNKNOWN_EXPLANATION`, 503."""
        symbol = checked_symbol(symbol)
        depth = read_query(request, DepthQuery).get("depth")
        document = reads.newest_explanation(symbol, depth)
        if document is None:
            kind = f"{depth} explanation" if depth else "explanation"
            raise problems.UnknownExplanation(f"There is no {kind} of {symbol} yet; order one with POST.")
        return cached(request, answers.etag(document.job_id), lambda: document)

    def create(self, request: Request, symbol: str) -> Response:
        """202; 400, 404 `UNKNOWN_SYMBOL`, 422, 429 `TOO_MANY_JOBS`, 503."""
        symbol = checked_symbol(symbol)
        body = read_body(request, OrderBody)
        repeatable = _repeatable(request, symbol, body)
        # Before the order: what fails after it would leave a job that nobody knows of.
        typical_s = estimates.typical_s(body["depth"])
        earlier = _find_earlier(request, repeatable, timezone.now())
        ordered = earlier or _order(request, symbol, body["depth"], repeatable, typical_s)
        _log(ordered)
        return _accepted(ordered, typical_s, timezone.now())


class ExplanationJobViewSet(_ExplanationView):
    """``/api/explanation/job/{job_id}``: how a job of the caller's account stands, and its end."""

    def retrieve(self, request: Request, job_id: str) -> Response:
        """200, 202, 304; 404 `UNKNOWN_JOB`, 410 `JOB_CANCELLED`, 500 `EXPLANATION_FAILED`."""
        job = jobs.find(_job_id(job_id), account_id=_account_of(request))
        if job is None:
            raise ordering.UnknownJob
        return _STATES[job.state](request, job)

    def destroy(self, request: Request, job_id: str) -> Response:
        """204, also for a job that was cancelled before; 404 `UNKNOWN_JOB`, 409 `JOB_FINISHED`."""
        ordering.cancel(job_id=_job_id(job_id), account_id=_account_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT, headers=UNCACHED)


def _log(ordered: Ordered) -> None:
    job = ordered.job
    # The id of the computation is what worker and bridge call the job.
    logger.info(
        "job %s: %s, computation %s",
        job.pk,
        "asked for again" if ordered.is_repeated else "ordered",
        job.computation_id,
        extra={"job_id": str(job.pk), "computation_id": str(job.computation_id)},
    )


def _find_earlier(request: Request, repeatable: Repeatable | None, now: datetime) -> Ordered | None:
    """What an earlier call with the same key got: without a prediction, and without counting again."""
    if repeatable is None:
        return None
    job = idempotency.find(repeatable, account_id=_account_of(request), now=now)
    return None if job is None else Ordered(job, is_repeated=True)


def _order(
    request: Request, symbol: str, depth: Depth, repeatable: Repeatable | None, typical_s: float
) -> Ordered:
    most = settings.GATEWAY.explanations_in_flight
    pinned = pinning.pin_newest(symbol)
    try:
        return ordering.order(
            caller=_caller_of(request),
            pinned=pinned,
            depth=depth,
            now=timezone.now(),
            request_id=request_context.current(),
            most_in_flight=most,
            repeatable=repeatable,
        )
    except ordering.TooManyJobs:
        raise problems.TooManyJobsInFlight(
            f"The account has {most} jobs in flight, as many as it may; wait for one, or cancel some.",
            retry_after_s=answers.retry_after_s(typical_s),
        ) from None


def _accepted(ordered: Ordered, typical_s: float, now: datetime) -> Response:
    """202, in the words of now."""
    url = answers.status_url(ordered.job.pk)
    replayed = {"Idempotency-Replayed": "true"} if ordered.is_repeated else {}
    body = answers.JobAccepted(
        job_id=ordered.job.pk,
        status=ordered.job.state,
        depth=ordered.job.computation.depth,
        estimated_seconds=standing.remaining_s(ordered.job, typical_s, now),
        status_url=url,
    )
    headers = {**UNCACHED, "Location": url, **replayed}
    return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)


def _show_done(request: Request, job: ExplanationJob) -> Response:
    return cached(request, *standing.done(job))


def _show_pending(request: Request, job: ExplanationJob) -> Response:
    headers, body = standing.pending(job, timezone.now())
    return Response(body, status=status.HTTP_202_ACCEPTED, headers=headers)


def _show_failed(request: Request, job: ExplanationJob) -> Response:
    raise problems.ExplanationFailed(job.computation.reason or "The explainer gave no reason.")


def _show_cancelled(request: Request, job: ExplanationJob) -> Response:
    raise problems.JobCancelled


_STATES: dict[str, Callable[[Request, ExplanationJob], Response]] = {
    Computation.State.QUEUED: _show_pending,
    Computation.State.RUNNING: _show_pending,
    Computation.State.DONE: _show_done,
    Computation.State.FAILED: _show_failed,
    Computation.State.CANCELLED: _show_cancelled,
}


def _caller_of(request: Any) -> Caller:
    """Who is calling, as authentication found out."""
    return cast(Caller, request.user)


def _account_of(request: Any) -> int:
    account_id = _caller_of(request).account_id
    return NO_ACCOUNT if account_id is None else account_id


def _repeatable(request: Request, symbol: str, body: Mapping[str, Any]) -> Repeatable | None:
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    path = f"/api/{ROUTE}/{symbol}"  # both spellings of the path are one call
    return Repeatable(ROUTE, idempotency.read_key(header), idempotency.fingerprint(path, body))


def _job_id(text: str) -> uuid.UUID:
    """The id in `text`. What is no id is looked for as well, so that its answer is that of an unknown one."""
    try:
        job_id = uuid.UUID(text)
    except ValueError:
        return _NO_JOB
    return job_id if str(job_id) == text.lower() else _NO_JOB
