"""How a prediction is shown over REST: its fields, its freshness, its validators. Pure.

Every way that answers a read calls these functions, so that no two ways can differ.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

import msgspec

from events.kinds import Count, Moment, NotNegative
from events.prediction_updated import MAX_SYMBOL_LENGTH, Features, Label, Price, Share
from predictions.documents import PredictionDocument, epoch_micros

Symbol = Annotated[
    str, msgspec.Meta(min_length=1, max_length=MAX_SYMBOL_LENGTH, pattern=r"^[^\x00-\x1f\x7f]+$")
]

VARY = "Accept-Encoding, Authorization, Origin, X-API-Key"

_encoder = msgspec.json.Encoder()
_FRESHNESS = b',"age_seconds":0.0,"stale":false'


class OutcomeAnswer(msgspec.Struct, frozen=True):
    """What came of a prediction: the actual price, its market time, and predicted minus actual price."""

    actual_price: Price
    as_of: Moment
    error: float


class PredictionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The contract's prediction. `features` and `outcome` are left out unless asked for.

    `outcome` is null as long as it is not known.
    """

    symbol: Symbol
    predicted_price: Price
    current_price: Price
    confidence: Share
    horizon: Label
    model_version: Label
    timestamp: Moment
    as_of: Moment
    seq: Count | None
    age_seconds: NotNegative
    stale: bool
    features: Features | msgspec.UnsetType = msgspec.UNSET
    outcome: OutcomeAnswer | msgspec.UnsetType | None = msgspec.UNSET


class Shown:
    """A prediction ready to be shown again and again: all but its age and freshness is encoded.

    `now_us` and `stale_after_s`: the moment in microseconds since 1970, and the age in seconds from which on
    a prediction is stale. A clock ahead of ours counts as age 0.
    """

    __slots__ = ("_fresh_tag", "_fresh_tail", "_head", "_made_us", "_stale_tag", "_stale_tail")

    def __init__(self, document: PredictionDocument, *, include_features: bool) -> None:
        self._made_us = made_us = epoch_micros(document.timestamp)
        encoded = _encoder.encode(
            PredictionAnswer(
                symbol=document.symbol,
                predicted_price=document.predicted_price,
                current_price=document.current_price,
                confidence=document.confidence,
                horizon=document.horizon,
                model_version=document.model_version,
                timestamp=document.timestamp,
                as_of=document.as_of or document.timestamp,
                seq=document.seq,
                age_seconds=0.0,
                stale=False,
                features=(document.features or {}) if include_features else msgspec.UNSET,
            )
        )
        # The first one is it: what comes before are labels, in which a quote is escaped.
        head, _, tail = encoded.partition(_FRESHNESS)
        self._head = head + b',"age_seconds":'
        self._fresh_tail, self._stale_tail = b',"stale":false' + tail, b',"stale":true' + tail
        tag = f'W/"{document.symbol}-{made_us:x}-{document.seq or 0:x}{"-f" if include_features else ""}'
        self._fresh_tag, self._stale_tag = f'{tag}"', f'{tag}-s"'

    def body(self, *, now_us: int, stale_after_s: float) -> bytes:
        """The JSON of a `PredictionAnswer`."""
        age_s = self._age_s(now_us)
        tail = self._stale_tail if age_s > stale_after_s else self._fresh_tail
        return b"%b%b%b" % (self._head, repr(round(age_s, 3)).encode("ascii"), tail)

    def etag(self, *, now_us: int, stale_after_s: float) -> str:
        """A weak validator from symbol, timestamp and variant.

        Weak, since `age_seconds` moves on without a new version. The variant tells features from none, the
        message from another with the same timestamp, and stale from fresh: a client that revalidates must
        learn that its copy has gone stale.
        """
        return self._stale_tag if self._age_s(now_us) > stale_after_s else self._fresh_tag

    def _age_s(self, now_us: int) -> float:
        return max(0, now_us - self._made_us) / 1_000_000


def with_outcome(body: bytes, outcome: str | None) -> bytes:
    """The JSON of a `PredictionAnswer` with that of its outcome, which may be null, if it is asked for."""
    return body if outcome is None else b'%b,"outcome":%b}' % (body[:-1], outcome.encode())


class PredictionBatch(msgspec.Struct, frozen=True):
    """The newest predictions by symbol (each a `PredictionAnswer`), and those symbols that have none."""

    predictions: dict[str, msgspec.Raw]
    missing: list[str]


def batch(
    wanted: Sequence[str], found: Mapping[str, Shown], *, now_us: int, stale_after_s: float
) -> tuple[str, Callable[[], PredictionBatch]]:
    """The validator of the answer to a call for many, and what makes its body."""
    missing = [symbol for symbol in wanted if symbol not in found]
    shown = [(symbol, found[symbol]) for symbol in wanted if symbol in found]

    def make() -> PredictionBatch:
        return PredictionBatch(
            {
                symbol: msgspec.Raw(one.body(now_us=now_us, stale_after_s=stale_after_s))
                for symbol, one in shown
            },
            missing,
        )

    tags = [one.etag(now_us=now_us, stale_after_s=stale_after_s) for _, one in shown]
    return combined_etag([*tags, *missing]), make


def validators(tag: str, *, max_age_s: int) -> dict[str, str]:
    """The headers of an answer that its caller may keep and revalidate."""
    return {"ETag": tag, "Cache-Control": f"private, max-age={max_age_s}", "Vary": VARY}


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
