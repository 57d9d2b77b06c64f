"""Names and configurations of the JetStream streams, as the contract in docs/EVENTS.md has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MSG_ID_HEADER = "Nats-Msg-Id"
REQUEST_ID_HEADER = "X-Request-ID"
DEAD_LETTER_REASON_HEADER = "X-Dead-Letter-Reason"
DEAD_LETTER_BYTES_HEADER = "X-Dead-Letter-Bytes"
DEAD_LETTER_SHA256_HEADER = "X-Dead-Letter-SHA256"

PREDICTION_UPDATED = "event.prediction.updated"
EXPLAIN = "job.explain.generate"
EXPLANATION_PROGRESS = "event.explanation.progress"
EXPLANATION_COMPLETED = "event.explanation.completed"
EXPLANATION_FAILED = "event.explanation.failed"
# Core NATS, kept by no stream: whoever does not hear it computes in vain, and the result is ignored.
EXPLAIN_CANCELLED = "job.explain.cancelled"
DEAD_LETTER_PREFIX = "dlq."


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A stream as it is created where it is missing; an operator's own limits are left alone.

    A "workqueue" keeps a message until it is acknowledged, and gives it to one consumer alone.
    """

    name: str
    subjects: tuple[str, ...]
    max_age_s: float
    max_bytes: int
    duplicate_window_s: float = 120.0
    retention: Literal["limits", "workqueue"] = "limits"


PREDICTIONS = Stream(
    name="PREDICTIONS",
    subjects=(PREDICTION_UPDATED,),
    max_age_s=7 * 86_400,
    max_bytes=4 << 30,
)
JOBS = Stream(
    name="JOBS",
    subjects=(EXPLAIN,),
    max_age_s=7 * 86_400,
    max_bytes=4 << 30,
    retention="workqueue",
)
EXPLANATIONS = Stream(
    name="EXPLANATIONS",
    subjects=(EXPLANATION_PROGRESS, EXPLANATION_COMPLETED, EXPLANATION_FAILED),
    max_age_s=86_400,
    max_bytes=4 << 30,
)
DEAD_LETTERS = Stream(
    name="DEAD_LETTERS",
    subjects=(DEAD_LETTER_PREFIX + ">",),
    max_age_s=30 * 86_400,
    max_bytes=256 << 20,
)


def dead_letter_subject(subject: str) -> str:
    """``event.prediction.updated`` -> ``dlq.event.prediction.updated``."""
    return DEAD_LETTER_PREFIX + subject
