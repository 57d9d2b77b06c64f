"""The one JSON form of a prediction inside the gateway: in Redis, on the channel layer, behind every answer.

Pure. `seq` is the JetStream stream sequence and `epoch` the life of that stream; both are missing in a
value that somebody else than our bridge has written to Redis.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from events.kinds import Moment
from events.prediction_updated import FeatureValue, PredictionUpdated


class MalformedDocument(ValueError):
    """The bytes are no prediction document."""


class PredictionDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One prediction. Prices in the symbol's currency, confidence 0-1, times aware and in UTC."""

    symbol: str
    predicted_price: float
    current_price: float
    confidence: float
    horizon: str
    model_version: str
    timestamp: Moment
    as_of: Moment | None = None
    seq: int | None = None
    epoch: str | None = None
    features: dict[str, FeatureValue] | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        """Of two predictions for one symbol the one with the greater order is the newer."""
        return self.timestamp, self.seq or 0


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_decoder = msgspec.json.Decoder(PredictionDocument)
_encoder = msgspec.json.Encoder()


def from_event(event: PredictionUpdated, *, seq: int, epoch: str) -> PredictionDocument:
    """The document of a validated event that is message `seq` of stream life `epoch`."""
    return PredictionDocument(
        symbol=event.symbol,
        predicted_price=event.predicted_price,
        current_price=event.current_price,
        confidence=event.confidence,
        horizon=event.horizon,
        model_version=event.model_version,
        timestamp=event.timestamp,
        as_of=event.market_time,
        seq=seq,
        epoch=epoch,
        features=event.features,
    )


def decode(data: bytes | str) -> PredictionDocument:
    """Read a document; raises `MalformedDocument`."""
    try:
        document = _decoder.decode(data)
        return msgspec.structs.replace(
            document,
            timestamp=document.timestamp.astimezone(UTC),
            as_of=(document.as_of or document.timestamp).astimezone(UTC),
        )
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError) as error:
        raise MalformedDocument(str(error)) from None


def epoch_micros(timestamp: datetime) -> int:
    """Microseconds since 1970, exactly: a float would fold neighbours into one."""
    return (timestamp - _EPOCH) // timedelta(microseconds=1)


def moment_at(micros: int) -> datetime:
    """The inverse of `epoch_micros`; OverflowError outside of the years 1 to 9999."""
    return _EPOCH + timedelta(microseconds=micros)


def within_64_bits(value: Any) -> Any:
    """A feature as messages may hold it: a database that keeps numbers its own way makes 1e22 an integer."""
    return float(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value


def encode(document: PredictionDocument) -> bytes:
    """The document as stored in Redis."""
    return _encoder.encode(document)


def without_features(document: PredictionDocument) -> PredictionDocument:
    """The document as sockets get it: features are for those who ask over REST."""
    return msgspec.structs.replace(document, features=None)
