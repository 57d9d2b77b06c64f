"""The record in the database: appending batches, reading the newest and the history. I/O only.

Every function raises Django's `DatabaseError` family where the database fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from observability.driver_times import as_moment
from predictions import documents
from predictions.documents import PredictionDocument
from predictions.models import Prediction

# Each with its type in Postgres.
_TYPES = {
    "symbol": "text",
    "timestamp": "timestamptz",
    "model_version": "text",
    "as_of": "timestamptz",
    "current_price": "float8",
    "predicted_price": "float8",
    "confidence": "float8",
    "horizon": "text",
    "features": "jsonb",
    "seq": "int8",
    "epoch": "text",
}
_COLUMNS = list(_TYPES)
# What the sockets need of a prediction.
_LEAN = [column for column in _COLUMNS if column != "features"]
# SQLite takes expressions up to a depth of 1,000, and each key adds to it.
_MOST_KEYS = 250
_TABLE = Prediction._meta.db_table
_INSERT = f"INSERT INTO {_TABLE} ({', '.join(_COLUMNS)})"
# One JSON array for all rows: with a placeholder for each value the driver takes 87 us a row, and so 5 us.
_RECORD = ", ".join(f"{column} {kind}" for column, kind in _TYPES.items())
_RECORDS = f"SELECT * FROM json_to_recordset(%s::json) AS record({_RECORD})"  # noqa: S608 - constants
_ROW = f"({', '.join(['%s'] * len(_COLUMNS))})"
_NEWEST_OF_ONE = (
    f"SELECT * FROM (SELECT {', '.join(_COLUMNS)} FROM {_TABLE} AS p WHERE p.symbol = %s{{upto}}"  # noqa: S608
    " ORDER BY timestamp DESC, seq DESC LIMIT 1) AS newest"
)
# One statement for any number of symbols: a union of a hundred takes Postgres 50 ms to plan.
_NEWEST_OF_MANY = (
    f"SELECT newest.* FROM unnest(%s::text[]) AS wanted(symbol), LATERAL"  # noqa: S608 - constants
    f" (SELECT {', '.join(_COLUMNS)} FROM {_TABLE} AS p WHERE p.symbol = wanted.symbol{{upto}}"
    " ORDER BY timestamp DESC, seq DESC LIMIT 1) AS newest"
)

_LEAN_ROWS = f"SELECT {', '.join(_LEAN)} FROM {_TABLE}"  # noqa: S608 - constants


def append(documents: Sequence[PredictionDocument]) -> list[bool]:
    """Store what is not stored yet, in one statement; True for each document whose own row exists.

    "Own" means the row came from that very message: true for a new row and for one that the message had
    stored in an earlier delivery, false where another message with the same key came first.
    """
    if not documents:
        return []
    values: list[Any]
    if connection.vendor == "postgresql":
        source, values = _RECORDS, [msgspec.json.encode(documents).decode()]
    else:
        source = f"VALUES {', '.join([_ROW] * len(documents))}"
        values = [value for document in documents for value in _row_values(document)]
    # Written by hand: the ORM's insert can ignore conflicts or return rows, not both.
    with connection.cursor() as cursor:
        cursor.execute(f"{_INSERT} {source} ON CONFLICT DO NOTHING RETURNING epoch, seq", values)
        stored = set(cursor.fetchall())
    again = [d for d in documents if (d.epoch, d.seq) not in stored]
    for start in range(0, len(again), _MOST_KEYS):
        keys = [(d.symbol, d.timestamp, d.model_version) for d in again[start : start + _MOST_KEYS]]
        stored |= set(Prediction.objects.filter(pk__in=keys).values_list("epoch", "seq"))
    return [(d.epoch, d.seq) in stored for d in documents]


def newest(symbols: Sequence[str], *, upto: datetime | None = None) -> dict[str, PredictionDocument]:
    """The newest prediction of each symbol that has one; with `upto`, made at that moment or before.

    One query, one index look-up per symbol.
    """
    if not symbols:
        return {}
    moment = [] if upto is None else [connection.ops.adapt_datetimefield_value(upto)]
    until = "" if upto is None else " AND p.timestamp <= %s"
    if connection.vendor == "postgresql":
        found = _documents(_NEWEST_OF_MANY.format(upto=until), [list(symbols), *moment], _COLUMNS)
    else:
        values = [value for symbol in symbols for value in (symbol, *moment)]
        one = _NEWEST_OF_ONE.format(upto=until)
        found = _documents(" UNION ALL ".join([one] * len(symbols)), values, _COLUMNS)
    return {document.symbol: document for document in found}


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
    with_features: bool = True,
) -> list[PredictionDocument]:
    """Newest first: rows with ``start <= timestamp <= end`` after the cursor `before`. One query."""
    moment = connection.ops.adapt_datetimefield_value
    conditions = ["symbol = %s"]
    values: list[Any] = [symbol]
    if start is not None:
        conditions.append("timestamp >= %s")
        values.append(moment(start))
    if end is not None:
        conditions.append("timestamp <= %s")
        values.append(moment(end))
    if before is not None:
        conditions.append("(timestamp, seq) < (%s, %s)")
        values += [moment(before[0]), before[1]]
    columns = _COLUMNS if with_features else _LEAN
    # The number of rows stands in the statement: a plan that does not know it sorts all of the symbol's.
    query = (
        f"SELECT {', '.join(columns)} FROM {_TABLE} WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants
        f" ORDER BY timestamp DESC, seq DESC LIMIT {int(limit)}"
    )
    return _documents(query, values, columns)


def after(epoch: str, seq: int, *, limit: int) -> list[PredictionDocument]:
    """The first `limit` predictions after the place (`epoch`, `seq`) in their order, without features."""
    query = f"{_LEAN_ROWS} WHERE (epoch, seq) > (%s, %s) ORDER BY epoch, seq LIMIT %s"
    return _documents(query, [epoch, seq, limit], _LEAN)


def missed(epoch: str, seen: Mapping[str, int], *, limit: int) -> list[PredictionDocument]:
    """The first `limit` predictions of `epoch` in their order, of each symbol after the seq that was `seen`.

    Without features. Walks the index on the place from the lowest of those seqs on.
    """
    if connection.vendor == "postgresql":
        # A look-up for each row instead of two comparisons for each row and symbol: a twentieth of the time.
        beyond = "symbol = ANY(%s) AND seq > (%s::jsonb ->> symbol)::int8"
        values: list[Any] = [list(seen), msgspec.json.encode(seen).decode()]
    else:
        beyond = f"({' OR '.join(['(symbol = %s AND seq > %s)'] * len(seen))})"
        values = [value for pair in seen.items() for value in pair]
    query = f"{_LEAN_ROWS} WHERE epoch = %s AND seq > %s AND {beyond} ORDER BY seq LIMIT %s"
    return _documents(query, [epoch, min(seen.values()), *values, limit], _LEAN)


def reaches_back(epoch: str, seq: int) -> bool:
    """True if nothing of `epoch` after `seq` can have been deleted from the record."""
    first = Prediction.objects.filter(epoch=epoch).order_by("seq").values_list("seq", flat=True).first()
    return first is not None and first <= seq + 1


def last_place() -> tuple[str, int]:
    """Epoch and seq of the last prediction by its place; ("", 0) for an empty record."""
    return Prediction.objects.order_by("-epoch", "-seq").values_list("epoch", "seq").first() or ("", 0)


def last(limit: int) -> list[PredictionDocument]:
    """The last `limit` predictions by their place, oldest first, without features."""
    return _documents(f"{_LEAN_ROWS} ORDER BY epoch DESC, seq DESC LIMIT %s", [limit], _LEAN)[::-1]


def document_of(row: Prediction) -> PredictionDocument:
    """The document of a row."""
    return PredictionDocument(**{column: getattr(row, column) for column in _COLUMNS})


def _row_values(document: PredictionDocument) -> list[Any]:
    """The values of `_COLUMNS` as the database's own driver wants them."""
    ops = connection.ops
    return [
        document.symbol,
        ops.adapt_datetimefield_value(document.timestamp),
        document.model_version,
        ops.adapt_datetimefield_value(document.as_of),
        document.current_price,
        document.predicted_price,
        document.confidence,
        document.horizon,
        None if document.features is None else json.dumps(document.features),
        document.seq,
        document.epoch,
    ]


def _documents(query: str, values: list[Any], columns: Sequence[str]) -> list[PredictionDocument]:
    # Written by hand: the ORM knows no rows as values, and makes an object for each.
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return [_document_of_values(row, columns) for row in cursor.fetchall()]


def _document_of_values(values: Sequence[Any], columns: Sequence[str] = _COLUMNS) -> PredictionDocument:
    """The document of a row as the driver gives it, which has text for JSON."""
    fields = dict(zip(columns, values, strict=True))
    fields["timestamp"] = as_moment(fields["timestamp"])
    fields["as_of"] = as_moment(fields["as_of"])
    if fields.get("features") is not None:
        features = json.loads(fields["features"])
        fields["features"] = {name: documents.within_64_bits(one) for name, one in features.items()}
    return PredictionDocument(**fields)
