"""The channel-layer message that carries one batch of updates from a bridge to every hub. Pure.

`bridge` names the sender, `number` counts its batches from 1 without a hole: a hub that sees a hole knows
that the layer has lost one. Without updates it is a beat: it repeats the number of the last batch, so that a
hub misses that one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from predictions import documents
from predictions.documents import PredictionDocument
from realtime.protocol import messages

GROUP = "predictions"
TYPE = "predictions.batch"

Place = tuple[str, int]
"""Where an update stands: the epoch, which sorts by time, and the seq in it."""


class Update(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One update, encoded once by the bridge, without features.

    `frame` is the message for a socket in mode `all`. `made_us`, `published_us` and `bridged_us` are
    microseconds since 1970: the prediction's own timestamp, when JetStream stored it, when the bridge passed
    it on; None where an update was read from a store. `move_pct` is how far the prediction is from the price.
    """

    symbol: str
    seq: int
    epoch: str
    frame: bytes
    confidence: float
    move_pct: float
    made_us: int
    published_us: int | None = None
    bridged_us: int | None = None

    @property
    def place(self) -> Place:
        """Where it stands in the stream."""
        return self.epoch, self.seq

    @property
    def order(self) -> tuple[int, int]:
        """Of two updates for one symbol the one with the greater order is the newer value."""
        return self.made_us, self.seq


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """A batch as a hub receives it.

    `told_until` is the furthest place that may have been told before it, by this bridge or by a forerunner:
    whatever was lost lies there or before. `late_from` is the lowest place that it has told lately behind a
    further one: what was lost may lie there. Both are None for bridges of older versions.
    """

    bridge: str
    number: int
    updates: list[Update]
    told_until: Place | None = None
    late_from: Place | None = None

    @property
    def follows(self) -> int:
        """The number of the batch that was sent before this one."""
        return self.number - 1 if self.updates else self.number


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Batch)


def update_of(
    document: PredictionDocument, *, published_us: int | None = None, bridged_us: int | None = None
) -> Update:
    """The update that tells of `document`."""
    lean = documents.without_features(document)
    return Update(
        symbol=lean.symbol,
        seq=lean.seq or 0,
        epoch=lean.epoch or "",
        frame=messages.update(documents.encode(lean)),
        confidence=lean.confidence,
        move_pct=_move_pct(lean),
        made_us=documents.epoch_micros(lean.timestamp),
        published_us=published_us,
        bridged_us=bridged_us,
    )


def updates_of(found: Iterable[PredictionDocument]) -> list[Update]:
    """The updates that tell of documents that were read from a store."""
    return [update_of(document) for document in found]


def encode(batch: Batch) -> dict[str, Any]:
    """The message for the channel layer."""
    return {"type": TYPE, "batch": _encoder.encode(batch)}


def decode(message: dict[str, Any]) -> Batch:
    """Read a message of `encode`; KeyError, TypeError or ValueError for anything else."""
    if message["type"] != TYPE:
        raise ValueError(f"not a batch: {message['type']!r}")
    return _decoder.decode(message["batch"])


def _move_pct(document: PredictionDocument) -> float:
    """How far the predicted price is from the current one, in per cent of it."""
    return abs(document.predicted_price / document.current_price - 1) * 100 if document.current_price else 0.0
