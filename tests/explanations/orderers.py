"""Accounts that order explanations in the test's own process, and the predictions that they ask about."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from accounts.callers import Caller
from accounts.credentials import authenticate
from events.explanations import Depth
from explanations import idempotency, ordering, pinning
from explanations.idempotency import Repeatable
from explanations.models import Computation, ExplanationJob
from predictions import ingest
from predictions.documents import PredictionDocument
from tests.accounts.callers import Holder, call, key
from tests.explanations.ends import CURRENT, PREDICTED

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


def predict(symbol: str = "AAPL", seq: int = 1, **changes: Any) -> PredictionDocument:
    """Record a prediction, as the bridge does."""
    values: dict[str, Any] = {
        "symbol": symbol,
        "predicted_price": PREDICTED,
        "current_price": CURRENT,
        "confidence": 0.6,
        "horizon": "1d",
        "model_version": "m",
        "timestamp": NOW.replace(second=seq),
        "as_of": NOW,
        "seq": seq,
        "epoch": "e1",
        "features": {"momentum_21d": 0.04},
        **changes,
    }
    document = PredictionDocument(**values)
    ingest.record_batch([document])
    ingest.publish_newest([document])
    return document


def caller_of(holder: Holder) -> Caller:
    """Who calls with this key."""
    return authenticate(holder.headers["X-API-Key"], now=timezone.now(), address="127.0.0.1")


def orderer(of: str = "desk") -> Caller:
    """A caller of the account `of`."""
    return caller_of(key(of=of))


def order(
    caller: Caller,
    symbol: str = "AAPL",
    depth: Depth = "fast",
    *,
    most: int = 100,
    repeatable: Repeatable | None = None,
    now: datetime = NOW,
) -> ExplanationJob:
    """Order the explanation of the newest prediction."""
    return ordering.order(
        caller=caller,
        pinned=pinning.pin_newest(symbol),
        depth=depth,
        now=now,
        request_id="request-1",
        most_in_flight=most,
        repeatable=repeatable,
    ).job


def repeatable(key: str = "k", body: str = "fast") -> Repeatable:
    """A call with the idempotency key `key`."""
    return Repeatable("explanation", key, idempotency.fingerprint("/api/explanation/AAPL", {"depth": body}))


def cancel(job: ExplanationJob, caller: Caller) -> None:
    """Cancel `job` in the name of `caller`."""
    ordering.cancel(job_id=job.pk, account_id=caller.account_id or 0, now=NOW)


def computation(job: ExplanationJob) -> Computation:
    """The computation of `job` as it is now."""
    return Computation.objects.get(jobs=job.pk)


def post(who: Holder, body: object = None, symbol: str = "AAPL", **headers: str) -> Any:
    """The answer to an order."""
    sent = {"depth": "fast"} if body is None else body
    return call("POST", f"/api/explanation/{symbol}", who, sent, headers=headers)


def get_job(who: Holder, job_id: object, **headers: str) -> Any:
    """The answer to the question how a job stands."""
    return call("GET", f"/api/explanation/job/{job_id}", who, headers=headers)


NO_JOB = uuid.UUID("00000000-0000-4000-8000-000000000001")
"""A well-formed id that no job has."""
