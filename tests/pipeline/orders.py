"""Orders for explanations, as the gateway sends them, and the checks that every answer has to pass."""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from events.explanations import Depth, ExplainOrder, Explanation, PinnedPrediction, check_explanation, encode
from pipeline.model import Prediction
from pipeline.schedule import event_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MOST_BYTES = 200_000


def pin(prediction: Prediction, **changes: Any) -> PinnedPrediction:
    """`prediction` as the gateway records it, with `changes`."""
    event = event_of(prediction, NOW)
    pinned = PinnedPrediction(
        symbol=event.symbol,
        timestamp=event.timestamp,
        current_price=event.current_price,
        predicted_price=event.predicted_price,
        confidence=event.confidence,
        horizon=event.horizon,
        model_version=event.model_version,
        as_of=event.market_time,
        seq=7,
        epoch="test",
        features=event.features,
    )
    return msgspec.structs.replace(pinned, **changes)


def order_for(pinned: PinnedPrediction, depth: Depth) -> ExplainOrder:
    return ExplainOrder(job_id=uuid.UUID(int=1), depth=depth, prediction=pinned, ordered_at=NOW)


def move_of(pinned: PinnedPrediction) -> float:
    return math.log(pinned.predicted_price) - math.log(pinned.current_price)


def check(explanation: Explanation, pinned: PinnedPrediction, depth: Depth) -> None:
    """It fits the contract and its limits, and its summary says nothing but what statements say."""
    check_explanation(explanation, depth=depth, move=move_of(pinned))
    payload = encode(explanation)
    assert len(payload) < MOST_BYTES
    assert msgspec.json.decode(payload, type=Explanation) == explanation
    rest = explanation.summary
    for statement in explanation.statements:
        rest = rest.replace(statement.text, "", 1)
    assert rest.strip() == ""


def ignore(progress: float, stage: str) -> None:
    """For those who do not want to hear of progress."""
