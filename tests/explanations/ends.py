"""What workers say, as the tests say it for them."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from events.explanations import (
    Contribution,
    Depth,
    Explanation,
    ExplanationCompleted,
    ExplanationFailed,
    ExplanationProgress,
    Source,
    Statement,
)
from explanations import results
from explanations.models import Computation

CURRENT, PREDICTED = 187.25, 188.1


def explanation(depth: Depth = "fast", **changes: Any) -> Explanation:
    """An explanation of a prediction from `CURRENT` to `PREDICTED`."""
    values: dict[str, Any] = {
        "depth": depth,
        "summary": "It goes on as it did.",
        "contributions": [
            Contribution(name="momentum_21d", value=0.001, text="It rose.", input=0.04),
            Contribution(name="base", value=math.log(PREDICTED / CURRENT) - 0.001, text="It drifts."),
        ],
        "sources": [Source(id="s1", kind="data", title="AAPL, daily", detail="2000 to 2013")],
        "statements": [Statement(text="It rose by 4 %.", sources=["s1"])],
        **changes,
    }
    return Explanation(**values)


def progress(
    job_id: uuid.UUID, share: float, stage: str = "looking", attempt: int = 1
) -> ExplanationProgress:
    """How far it is."""
    return ExplanationProgress(
        job_id=job_id, attempt=attempt, progress=share, stage=stage, at=datetime.now(UTC)
    )


def completed(job_id: uuid.UUID, depth: Depth = "fast", **changes: Any) -> ExplanationCompleted:
    """The end as it should be."""
    at = changes.pop("generated_at", datetime.now(UTC))
    return ExplanationCompleted(
        job_id=job_id, attempt=1, explanation=explanation(depth, **changes), generated_at=at, took_s=0.5
    )


def failed(job_id: uuid.UUID, reason: str = "The data has a hole.") -> ExplanationFailed:
    """The end as it should not be."""
    return ExplanationFailed(job_id=job_id, attempt=3, reason=reason, at=datetime.now(UTC))


def apply_progress(events: Sequence[ExplanationProgress], now: datetime) -> list[Computation]:
    """What progress has changed, when it is applied alone."""
    return results.apply(events, now=now)


def apply_completed(event: ExplanationCompleted, now: datetime) -> Computation | None:
    """The computation that a completion has changed, if it has."""
    return next(iter(results.apply([event], now=now)), None)


def apply_failed(event: ExplanationFailed, now: datetime) -> Computation | None:
    """The computation that a failure has changed, if it has."""
    return next(iter(results.apply([event], now=now)), None)
