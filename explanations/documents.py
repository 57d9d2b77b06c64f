"""The one JSON form of a finished explanation: in Redis, and behind every answer. Pure.

`PinnedPrediction` comes back from JSON here as well: a database that keeps numbers in its own way may turn
1e22 into an integer that no message may hold.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from events.explanations import (
    Contributions,
    Depth,
    Explanation,
    Name,
    PinnedPrediction,
    Record,
    SimilarDays,
    Sources,
    Statements,
    Summary,
    WhatIfs,
)
from events.kinds import Moment
from predictions.documents import within_64_bits


class MalformedDocument(ValueError):
    """The bytes are no explanation document."""


class ExplanationDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A finished explanation with the prediction that it explains. `job_id` is the first job that got it."""

    symbol: Name
    depth: Depth
    generated_at: Moment
    summary: Summary
    contributions: Contributions
    sources: Sources
    statements: Statements
    similar_days: SimilarDays
    what_if: WhatIfs
    record: Record | None
    prediction: PinnedPrediction
    job_id: uuid.UUID

    @property
    def order(self) -> tuple[datetime, datetime]:
        """Of two explanations of one symbol the one with the greater order is the newer."""
        return self.prediction.timestamp, self.generated_at


_decoder = msgspec.json.Decoder(ExplanationDocument)
_encoder = msgspec.json.Encoder()


def make(
    *, job_id: uuid.UUID, generated_at: datetime, result: Mapping[str, Any], prediction: Mapping[str, Any]
) -> ExplanationDocument:
    """The document of a finished computation, from the JSON that the database holds."""
    explanation = msgspec.convert(result, Explanation)
    pinned = pinned_from(prediction)
    return ExplanationDocument(
        symbol=pinned.symbol,
        depth=explanation.depth,
        generated_at=generated_at.astimezone(UTC),
        summary=explanation.summary,
        contributions=explanation.contributions,
        sources=explanation.sources,
        statements=explanation.statements,
        similar_days=explanation.similar_days,
        what_if=explanation.what_if,
        record=explanation.record,
        prediction=pinned,
        job_id=job_id,
    )


def pinned_from(values: Mapping[str, Any]) -> PinnedPrediction:
    """The prediction in `values`; raises msgspec's `ValidationError` for what cannot be pinned."""
    features = values.get("features")
    fitting = None if features is None else {name: within_64_bits(one) for name, one in features.items()}
    return msgspec.convert({**values, "features": fitting}, PinnedPrediction)


def encode(document: ExplanationDocument) -> bytes:
    """The document as stored in Redis."""
    return _encoder.encode(document)


def decode(data: bytes | str) -> ExplanationDocument:
    """Read a document; raises `MalformedDocument`."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError) as error:
        raise MalformedDocument(str(error)) from None
