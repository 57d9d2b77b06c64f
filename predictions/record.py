"""The record in the database: appending batches, reading the newest and the history. I/O only.

Every function raises Django's `DatabaseError` family where the database fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import Q, QuerySet, Subquery

from predictions.documents import PredictionDocument, as_mapping
from predictions.models import Prediction

_COLUMNS = [
    "symbol",
    "timestamp",
    "model_version",
    "as_of",
    "current_price",
    "predicted_price",
    "confidence",
    "horizon",
    "features",
    "seq",
    "epoch",
]


def append(documents: Sequence[PredictionDocument]) -> list[bool]:
    """Store what is not stored yet, in one statement; True for each document whose own row exists.

    "Own" means the row came from that very message: true for a new row and for one that the message had
    stored in an earlier delivery, false where another message with the same key came first.
    """
    if not documents:
        return []
    _insert(documents)
    stored = {
        key: (epoch, seq)
        for key, epoch, seq in Prediction.objects.filter(
            pk__in=[(d.symbol, d.timestamp, d.model_version) for d in documents]
        ).values_list("pk", "epoch", "seq")
    }
    return [stored[d.symbol, d.timestamp, d.model_version] == (d.epoch, d.seq) for d in documents]


def newest(symbols: Sequence[str]) -> dict[str, PredictionDocument]:
    """The newest prediction of each symbol that has one. One query, a few index look-ups per symbol."""
    if not symbols:
        return {}
    wanted = Q(pk__in=[])
    for symbol in symbols:
        rows = Prediction.objects.filter(symbol=symbol).order_by("-timestamp")
        wanted |= Q(symbol=symbol, timestamp=Subquery(rows.values("timestamp")[:1]))
    found: dict[str, PredictionDocument] = {}
    for row in Prediction.objects.filter(wanted).order_by("seq"):
        found[row.symbol] = document_of(row)
    return found


def exists(symbol: str) -> bool:
    """True if the symbol was ever predicted."""
    return Prediction.objects.filter(symbol=symbol).exists()


def history(
    symbol: str,
    *,
    start: datetime | None,
    end: datetime | None,
    before: tuple[datetime, int] | None,
    limit: int,
) -> list[PredictionDocument]:
    """Newest first: rows with ``start <= timestamp <= end`` that come after the cursor `before`."""
    rows: QuerySet[Prediction] = Prediction.objects.filter(symbol=symbol)
    if start is not None:
        rows = rows.filter(timestamp__gte=start)
    if end is not None:
        rows = rows.filter(timestamp__lte=end)
    if before is not None:
        timestamp, seq = before
        # The plain bound on the first column is what lets the index start at the cursor.
        rows = rows.filter(timestamp__lte=timestamp).exclude(timestamp=timestamp, seq__gte=seq)
    return [document_of(row) for row in rows.order_by("-timestamp", "-seq")[:limit]]


def document_of(row: Prediction) -> PredictionDocument:
    """The document of a row."""
    return PredictionDocument(**{column: getattr(row, column) for column in _COLUMNS})


def _insert(documents: Iterable[PredictionDocument]) -> None:
    Prediction.objects.bulk_create(
        [Prediction(**as_mapping(document)) for document in documents], ignore_conflicts=True
    )
