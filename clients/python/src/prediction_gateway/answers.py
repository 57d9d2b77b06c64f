"""Answers to values: bytes become a model, whose ages move on when it is read again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from prediction_gateway.models import Explanation, Job, Page, Prediction, Predictions
from prediction_gateway.retrying import parse_retry_after

T = TypeVar("T")
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises of bytes that are not what they should be; the last one where they nest too deep."""


@dataclass(frozen=True)
class Answer:
    """What came back: `headers` by names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _JobFields(msgspec.Struct, frozen=True):
    job_id: str
    status: str
    depth: str
    progress: float = 0.0
    stage: str = ""
    estimated_seconds: float = 0.0
    # What only a finished job's answer has: it is the explanation itself.
    summary: str | None = None


def decode(answer: Answer, type_: type[T]) -> T:
    """The body as a `type_`. Raises one of `UNREADABLE`."""
    return msgspec.json.decode(answer.body, type=type_)


def decode_job(answer: Answer) -> Job:
    """A job from any of its three answers: just ordered, not done yet, done with its explanation."""
    told = decode(answer, _JobFields)
    return Job(
        job_id=told.job_id,
        status=told.status,
        depth=told.depth,
        progress=1.0 if told.status == "done" else told.progress,
        stage=told.stage,
        estimated_seconds=told.estimated_seconds,
        retry_after=parse_retry_after(answer.headers.get("retry-after"), now=datetime.now(UTC)),
        explanation=None if told.summary is None else decode(answer, Explanation),
    )


def move_on(value: T, seconds: float) -> T:
    """`value` as the gateway would tell it `seconds` later: the ages of predictions have grown."""
    if isinstance(value, Prediction):
        return replace(value, age_seconds=value.age_seconds + seconds)
    if isinstance(value, Predictions):
        moved = {symbol: move_on(one, seconds) for symbol, one in value.predictions.items()}
        return replace(value, predictions=moved)
    if isinstance(value, Page):
        return replace(value, data=[move_on(one, seconds) for one in value.data])
    return value
