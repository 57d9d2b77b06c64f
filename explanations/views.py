"""The REST routes of explanations: decode, call, encode. What goes wrong: `explanations.problems`."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from rest_framework import status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.bodies import read_body, read_query
from accounts.credentials import Caller
from explanations import answers, estimates, idempotency, jobs, ordering, pinning, problems, reads, store
from explanations.idempotency import Repeatable
from explanations.models import Computation, ExplanationJob
from explanations.ordering import Ordered
from explanations.serializers import DepthQuery, OrderBody
from observability import request_context
from predictions import symbols
from predictions.answers import VARY, matches
from predictions.views import InvalidSymbol

ROUTE = "explanation"
OUTCOME_HEADER = "X-Explanation-Outcome"
"""Tells a failed explanation, which is the explainer's, from a failure of this server: both are a 500."""

_UNCACHED = {"Cache-Control": "no-store", "Vary": "Authorization, X-API-Key"}
_NO_JOB = uuid.UUID(int=0)


class _ExplanationView(viewsets.ViewSet):
    def handle_exception(self, exc: Exception) -> Response:
        """The answer to `exc`."""
        response = super().handle_exception(problems.as_answer(exc))
        if isinstance(exc, problems.ExplanationFailed):
            response[OUTCOME_HEADER] = "failed"
            # What Django asks before it logs a 500: this one is an answer that was asked for.
            response._has_been_logged = True  # type: ignore[attr-defined]
        return response


class ExplanationViewSet(_ExplanationView):
    """``/api/explanation/{symbol}``: ordering explanations, and the newest that there is."""

    def retrieve(self, request: Request, symbol: str) -> Response:
        """200, 304; 400, 404 `UNKNOWN_EXPLANATION`, 503."""
        symbol = _checked_symbol(symbol)
        depth = read_query(request, DepthQuery).get("depth")
        document = reads.newest_explanation(symbol, depth)
        if document is None:
            kind = f"{depth} explanation" if depth else "explanation"
            raise problems.UnknownExplanation(f"There is no {kind} of {symbol} yet; order one with POST.")
        return _cached(request, answers.etag(document.job_id), lambda: document)

    def create(self, request: Request, symbol: str) -> Response:
        """202; 400, 404 `UNKNOWN_SYMBOL`, 422, 429 `TOO_MANY_JOBS`, 503."""
        symbol = _checked_symbol(symbol)
        now = timezone.now()
        repeatable = _repeatable(request, symbol)
        depth = read_body(request, OrderBody)["depth"]
        # Before the order: what fails after it would leave a job that nobody knows of.
        typical_s = estimates.typical_s(depth)
        ordered = _find_earlier(request, repeatable) or _order(request, symbol, depth, repeatable, typical_s)
        return _accepted(ordered, typical_s)


class ExplanationJobViewSet(_ExplanationView):
    """``/api/explanation/job/{job_id}``: how a job of the caller's account stands, and its end."""

    def retrieve(self, request: Request, job_id: str) -> Response:
        """200, 202, 304; 404 `UNKNOWN_JOB`, 410 `JOB_CANCELLED`, 500 `EXPLANATION_FAILED`."""
        job = jobs.find(_job_id(job_id), account_id=_caller_of(request).account_id)
        if job is None:
            raise ordering.UnknownJob
        return _STATES[Computation.State(job.state)](request, job)

    def destroy(self, request: Request, job_id: str) -> Response:
        """204, also for a job that was cancelled before; 404 `UNKNOWN_JOB`, 409 `JOB_FINISHED`."""
        account_id = _caller_of(request).account_id
        ordering.cancel(job_id=_job_id(job_id), account_id=account_id, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT, headers=_UNCACHED)
