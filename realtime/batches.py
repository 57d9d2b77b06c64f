"""The channel-layer message that carries one batch of updates from a bridge to every hub. Pure.

``bridge`` names the sender, ``batch`` counts its batches from 1 without a hole: a hub that sees a hole
knows that the layer has lost one. ``updates`` holds ``[symbol, seq, epoch, JSON document]`` in order.
Without updates it is a beat: it repeats the number of the last batch, so that a hub misses that one too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from predictions import documents
from predictions.documents import PredictionDocument

GROUP = "predictions"
_TYPE = "predictions.batch"


@dataclass(frozen=True, slots=True)
class Update:
    """One update: `document` is its JSON object, encoded once by the bridge, without features."""

    symbol: str
    seq: int
    epoch: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as a hub receives it."""

    bridge: str
    number: int
    updates: list[Update]

    @property
    def follows(self) -> int:
        """The number of the batch that was sent before this one."""
        return self.number - 1 if self.updates else self.number


def update_of(document: PredictionDocument) -> Update:
    """The update that tells of `document`."""
    lean = documents.without_features(document)
    return Update(lean.symbol, lean.seq or 0, lean.epoch or "", documents.encode(lean))


def encode(bridge: str, number: int, told: Iterable[PredictionDocument]) -> dict[str, Any]:
    """The message for the channel layer."""
    updates = [update_of(document) for document in told]
    return {
        "type": _TYPE,
        "bridge": bridge,
        "batch": number,
        "updates": [[u.symbol, u.seq, u.epoch, u.document] for u in updates],
    }


def decode(message: dict[str, Any]) -> Batch:
    """Read a message of `encode`; KeyError, TypeError or ValueError for anything else."""
    if message["type"] != _TYPE:
        raise ValueError(f"not a batch: {message['type']!r}")
    return Batch(
        bridge=message["bridge"],
        number=message["batch"],
        updates=[Update(*fields) for fields in message["updates"]],
    )
