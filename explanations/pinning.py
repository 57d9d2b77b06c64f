"""The prediction to explain: the newest of a symbol, exactly as it was recorded, with its features."""

from __future__ import annotations

import msgspec

from events.explanations import PinnedPrediction
from explanations import documents
from predictions import reads, record
from predictions.documents import PredictionDocument
from predictions.models import Prediction


class NothingToExplain(Exception):
    """The symbol has no prediction, or its newest one is not in the record; the message says which."""


def pin_newest(symbol: str) -> PinnedPrediction:
    """Pin the newest prediction of `symbol`.

    Somebody else than the bridge may have written the newest value to Redis, without its place in the
    stream: that one must be in the record. Raises `NothingToExplain`, `reads.NoStoreReachable`, Django's
    database errors.
    """
    document = reads.newest_predictions([symbol]).get(symbol)
    if document is None:
        raise NothingToExplain(f"There is no prediction for {symbol}.")
    pinned = _pin(document) or _pin(_recorded(document))
    if pinned is None:
        raise NothingToExplain(f"The newest prediction for {symbol} was never recorded.")
    return pinned


def _pin(document: PredictionDocument | None) -> PinnedPrediction | None:
    """`document` as it goes to the worker; None where its place is missing, or where it does not fit."""
    if document is None or document.seq is None or document.epoch is None:
        return None
    values = msgspec.structs.asdict(document)
    try:
        return documents.pinned_from({**values, "as_of": document.as_of or document.timestamp})
    except msgspec.ValidationError:
        return None


def _recorded(document: PredictionDocument) -> PredictionDocument | None:
    key = (document.symbol, document.timestamp, document.model_version)
    row = Prediction.objects.filter(pk=key).first()
    return None if row is None else record.document_of(row)
