"""Jobs and explanations of a running stack, written to its database behind the gateway's back."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

import msgspec

from events.explanations import PinnedPrediction
from tests.explanations.ends import CURRENT, PREDICTED, explanation
from tests.stack import Stack

_COMPUTATION = (
    "INSERT INTO explanations_computation (id, symbol, depth, prediction_timestamp, model_version,"
    " prediction, state, progress, stage, attempts, reason, result, created_at, heard_at, finished_at,"
    " request_id) "
    "VALUES (%s, %s, 'fast', %s, 'test-1', %s, %s, 0, '', 0, '', %s, now(), now(), %s, '')"
)
_JOB = (
    "INSERT INTO explanations_explanationjob (id, computation_id, account_id, ordered_by, created_at,"
    " ended_at) VALUES (%s, %s, %s, 'test', now(), CASE WHEN %s THEN now() END)"
)


def add_explanation(stack: Stack, symbol: str) -> uuid.UUID:
    """An explanation of a prediction of `symbol`; returns the id of its computation."""
    return _add_computation(stack, symbol, is_done=True)


def add_job(
    stack: Stack, account: int, job_id: uuid.UUID | None = None, *, is_done: bool = False
) -> uuid.UUID:
    """A job of `account` that no worker knows of, or one that is done."""
    job_id = job_id or uuid.uuid4()
    stack.execute(_JOB, job_id, _add_computation(stack, "XJOB", is_done=is_done), account, is_done)
    return job_id


def _add_computation(stack: Stack, symbol: str, *, is_done: bool) -> uuid.UUID:
    id_, now = uuid.uuid4(), datetime.now(UTC)
    prediction = PinnedPrediction(
        symbol=symbol,
        timestamp=now,
        current_price=CURRENT,
        predicted_price=PREDICTED,
        confidence=0.5,
        horizon="1d",
        model_version="test-1",
        as_of=now,
        seq=1,
        epoch="e",
    )
    stack.execute(
        _COMPUTATION,
        id_,
        symbol,
        now,
        json.dumps(msgspec.to_builtins(prediction)),
        "done" if is_done else "queued",
        json.dumps(msgspec.to_builtins(explanation())) if is_done else None,
        now if is_done else None,
    )
    return id_
