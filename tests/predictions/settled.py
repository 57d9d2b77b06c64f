"""Predictions that go into the record and are settled, for tests of what came of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from predictions import record, settling
from predictions.documents import PredictionDocument
from predictions.settling import Place, Slice


def predicted(
    seq: int, *, made: datetime, market: datetime, price: float = 100.0, **changes: Any
) -> PredictionDocument:
    """Message `seq`: a daily prediction at `price` that expects a rise by 1, with `changes`."""
    document = PredictionDocument(
        symbol="AAPL",
        predicted_price=price + 1,
        current_price=price,
        confidence=0.5,
        horizon="1d",
        model_version="m",
        timestamp=made,
        as_of=market,
        seq=seq,
        epoch="e",
    )
    return msgspec.structs.replace(document, **changes)


def append(documents: Iterable[PredictionDocument]) -> None:
    """Put them into the record, which knows none of them."""
    waiting = list(documents)
    for first in range(0, len(waiting), 1_000):
        assert all(record.append(waiting[first : first + 1_000]))


def settle_all(
    *, now: datetime, upto: Place | None = None, most: int = 100, most_settled: int = 100
) -> Slice:
    """Settle until nothing is left; the last slice."""
    for _ in range(1_000):
        done = settling.settle_slice(upto=upto, now=now, most=most, most_settled=most_settled)
        assert done is not None
        if done.is_last:
            return done
    raise AssertionError("no end")
