"""How a prediction is shown over REST: its fields, its freshness, its validators. Pure.

Every way that answers a read calls these functions, so that no two ways can differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from events.prediction_updated import FeatureValue
from predictions.documents import PredictionDocument, epoch_micros

VARY = "Accept-Encoding, Authorization, Origin, X-API-Key"


class PredictionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The contract's prediction. `features` is left out unless asked for."""

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: datetime
    as_of: datetime
    seq: int | None
    age_seconds: float
    stale: bool
    features: dict[str, FeatureValue] | msgspec.UnsetType = msgspec.UNSET


def show(
    document: PredictionDocument,
    *,
    now: datetime,
    stale_after_s: float,
    include_features: bool,
) -> PredictionAnswer:
    """The answer for `document` at `now`. A clock ahead of ours counts as age 0."""
    age_s = _age_s(document, now)
    return PredictionAnswer(
        symbol=document.symbol,
        predicted_price=document.predicted_price,
        current_price=document.current_price,
        confidence=document.confidence,
        horizon=document.horizon,
        model_version=document.model_version,
        timestamp=document.timestamp,
        as_of=document.as_of or document.timestamp,
        seq=document.seq,
        age_seconds=round(age_s, 3),
        stale=age_s > stale_after_s,
        features=(document.features or {}) if include_features else msgspec.UNSET,
    )


def etag(
    document: PredictionDocument,
    *,
    now: datetime,
    stale_after_s: float,
    include_features: bool,
) -> str:
    """A weak validator from symbol, timestamp and variant.

    Weak, since `age_seconds` moves on without a new version. The variant tells features from none, the
    message from another with the same timestamp, and stale from fresh: a client that revalidates must
    learn that its copy has gone stale.
    """
    stale = _age_s(document, now) > stale_after_s
    variant = f"{document.seq or 0:x}{'-f' if include_features else ''}{'-s' if stale else ''}"
    return f'W/"{document.symbol}-{epoch_micros(document.timestamp):x}-{variant}"'


def combined_etag(parts: Iterable[str]) -> str:
    """One weak validator for an answer made of several parts."""
    return f'W/"{hashlib.blake2b("|".join(parts).encode(), digest_size=12).hexdigest()}"'


def matches(if_none_match: str, current: str) -> bool:
    """Weak comparison of an ``If-None-Match`` header with the current validator (RFC 9110, 13.1.2)."""
    if if_none_match.strip() == "*":
        return True
    opaque = current.removeprefix("W/")
    offered: Sequence[str] = if_none_match.split(",")
    return any(tag.strip().removeprefix("W/") == opaque for tag in offered)


def _age_s(document: PredictionDocument, now: datetime) -> float:
    return max(0.0, (now - document.timestamp).total_seconds())
