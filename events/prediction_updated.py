"""The payload of ``event.prediction.updated``: bytes in, a typed event or one clear reason out. Pure.

Shape: ``{"symbol", "timestamp", "current_price", "predicted_price", "confidence", "horizon",
"model_version", "as_of"?, "features"?}``. Times are RFC 3339 with an offset; ``as_of`` may also be a
bare date, which means its midnight UTC. Prices are in the symbol's own currency.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

import msgspec

from events.kinds import Moment

MAX_PAYLOAD_BYTES = 256 * 1024
MAX_FEATURES = 1_000
MAX_SYMBOL_LENGTH = 32

AHEAD_OF_PUBLISHING = timedelta(minutes=5)
AHEAD_OF_TIMESTAMP = timedelta(days=1)
"""How far a clock may be ahead. One message from a far future would be the newest of its symbol for ever."""

LEAST_PRICE, GREATEST_PRICE = 1e-30, 1e30
"""Beyond these nobody can compute with a price, and no page can draw it."""

Price = Annotated[float, msgspec.Meta(ge=LEAST_PRICE, le=GREATEST_PRICE)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# Control characters are refused: Postgres cannot store NUL, and none of them belongs into a label.
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]+\Z")]
FeatureName = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[^\x00]*\Z")]
FeatureText = Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^[^\x00]*\Z")]
# What 64 bits hold: the encoder writes no larger integer.
FeatureInteger = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
FeatureValue = float | FeatureInteger | bool | FeatureText | None
Features = Annotated[dict[FeatureName, FeatureValue], msgspec.Meta(max_length=MAX_FEATURES)]
_MARKET_TIME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?", re.ASCII)


class PayloadRefused(Exception):
    """The payload does not fit the contract; the text says where and why."""


class PredictionUpdated(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One prediction as the pipeline made it. All times are aware and in UTC after `decode`."""

    symbol: str
    timestamp: Moment
    current_price: Price
    predicted_price: Price
    confidence: Share
    horizon: Label
    model_version: Label
    as_of: str | None = None
    features: Features | None = None

    @property
    def market_time(self) -> datetime:
        """Market time of the newest input: ``as_of``, or the timestamp where none was sent."""
        return self.timestamp if self.as_of is None else parse_market_time(self.as_of)


_decoder = msgspec.json.Decoder(PredictionUpdated)
_encoder = msgspec.json.Encoder()


def parse_market_time(text: str) -> datetime:
    """Read an RFC 3339 moment or a bare ``YYYY-MM-DD`` as an aware UTC datetime; ValueError otherwise."""
    text = text.upper()
    if not _MARKET_TIME.fullmatch(text):
        raise ValueError("neither an RFC 3339 time with an offset nor a date as in 2013-03-01")
    if len(text) == 10:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
    return datetime.fromisoformat(text).astimezone(UTC)


def decode(payload: bytes, *, symbol_pattern: re.Pattern[str]) -> PredictionUpdated:
    """Validate `payload`; raises `PayloadRefused` with the reason."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadRefused(f"payload of {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES}")
    try:
        event = _decoder.decode(payload)
        market_time = event.market_time
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadRefused(str(error)) from None
    except (ValueError, OverflowError) as error:
        raise PayloadRefused(f"Invalid time - at `$.as_of`: {error}") from None
    # Whatever the pattern: longer ones do not fit the record, and Postgres cannot store NUL.
    fits = len(event.symbol) <= MAX_SYMBOL_LENGTH and "\0" not in event.symbol
    if not fits or not symbol_pattern.fullmatch(event.symbol):
        raise PayloadRefused(
            f"Symbol {event.symbol[:32]!r} does not match {symbol_pattern.pattern} - at `$.symbol`"
        )
    try:
        timestamp = event.timestamp.astimezone(UTC)
    except OverflowError as error:
        raise PayloadRefused(f"Invalid time - at `$.timestamp`: {error}") from None
    as_of = None if event.as_of is None else market_time.isoformat()
    return msgspec.structs.replace(event, timestamp=timestamp, as_of=as_of)


def check_times(event: PredictionUpdated, *, published_at: datetime) -> None:
    """Raise `PayloadRefused` for a decoded `event` that comes from the future, as seen at `published_at`."""
    if event.timestamp - published_at > AHEAD_OF_PUBLISHING:
        raise PayloadRefused(
            f"Time {event.timestamp.isoformat()} is more than 5 minutes after it was published,"
            f" {published_at.isoformat()} - at `$.timestamp`"
        )
    market_time = event.market_time
    if market_time - event.timestamp > AHEAD_OF_TIMESTAMP:
        raise PayloadRefused(
            f"Market time {market_time.isoformat()} is more than a day after the timestamp - at `$.as_of`"
        )


def encode(event: PredictionUpdated) -> bytes:
    """The payload as published."""
    return _encoder.encode(event)
