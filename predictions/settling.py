"""Settling: what came of each prediction, known from the record itself. I/O only.

1. The outcome of a prediction is the `current_price` of the first later prediction of its symbol whose market
   time has reached `due_at`: first by market time, later by `timestamp`. Once known it stays.
2. It is settled by slices of the record in the order of the stream, from a remembered place on. A slice, the
   outcomes that it brings, the daily sums and the place are one transaction: whatever is repeated or cut off
   changes nothing, and every outcome is in the sums once.
3. One settles at a time: who finds the place held leaves it.
4. A slice that brings more outcomes than one transaction may take stays where it is, and the next one brings
   the rest.
5. No statement takes longer than a deadline: who calls then takes a shorter slice, and passes over a single
   prediction that is too slow by itself.

Three statements do the work, in the database. One notes the slice, one looks up what its own predictions
wait for, and one settles who waited before: those found nothing among what was there, so that only the prices
of the slice are new to them. SQLite has no statements within statements: there what a statement has written
comes back and is given to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import connection, transaction

from observability.driver_times import as_moment
from predictions import horizons
from predictions import settling_statements as statements
from predictions.deadlines import DeadlinePassed, deadline
from predictions.models import Prediction, SettledPlace

# The bridge waits a little longer than this for a whole transaction, and on SQLite the freight waits for it.
DEADLINE_S = 2.0
_FIRST_ROW = 1
_OFF = (
    "enable_seqscan",
    "enable_bitmapscan",
    "enable_hashjoin",
    "enable_mergejoin",
    "enable_sort",
    "jit",
    "synchronous_commit",
)
_MICROSECOND = timedelta(microseconds=1)
_RECORD, _PLACE = Prediction._meta.db_table, SettledPlace._meta.db_table


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a prediction stands in the stream: the epoch, which sorts by time, and the seq in it."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class Slice:
    """What one transaction has done. The next begins at `place`, and finds nothing more if this `is_last`."""

    place: Place
    predictions: int
    settled: int
    is_last: bool


class SliceTooSlow(Exception):
    """What lies after `place` was not settled before the deadline, and nothing of it is done."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"what comes after {place} takes too long to settle")
        self.place = place


def settle_slice(*, upto: Place | None, now: datetime, most: int, most_settled: int) -> Slice | None:
    """Settle the next `most` predictions up to the place `upto`; None while somebody else does.

    Everything up to `upto` must be in the record: what is stored there later is passed over.
    Raises `SliceTooSlow` and Django's database errors.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        _prefer_indexes(cursor)
        begin = _take_place(cursor)
        if begin is None:
            return None
        count, end, lengths = _look_ahead(cursor, begin, upto, most)
        settled = 0
        if end is not None:
            try:
                with deadline(cursor, DEADLINE_S):
                    span = [begin.epoch, begin.seq, end.epoch, end.seq]
                    _note(cursor, span, lengths)
                    settled = _settle(cursor, span, now, most_settled)
            except DeadlinePassed as error:
                raise SliceTooSlow(begin) from error
            if settled >= most_settled:
                return Slice(begin, count, settled, is_last=False)
        is_last = count < most
        # What could not be recorded lies behind us as well.
        reached = max(end or begin, upto) if is_last and upto is not None else end or begin
        if reached != begin:
            _move(cursor, reached)
        return Slice(reached, count, settled, is_last=is_last)


def pass_over(place: Place) -> Place | None:
    """Note the one prediction after `place` and leave it unsettled; where it stands, None if nobody needs it.

    It waits for its outcome and is a price as others are, but nobody is settled by it until all is looked at
    again. Raises Django's database errors.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        _prefer_indexes(cursor)
        if _take_place(cursor) != place:  # another bridge has done it meanwhile, or is about to
            return None
        _, end, lengths = _look_ahead(cursor, place, None, 1)
        if end is not None:
            _note(cursor, [place.epoch, place.seq, end.epoch, end.seq], lengths)
            _move(cursor, end)
        return end


def start_over() -> None:
    """Begin at the first prediction again: what was passed over gets its outcome, all else stays."""
    SettledPlace.objects.all().delete()


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


def _prefer_indexes(cursor: Any) -> None:
    """For this transaction: look up in indexes, in their order, whatever the statistics say.

    The tables grow while they are read, and statistics lag: without this a slice takes seconds until then.
    Nor does it wait for the disk: what a crash takes is settled again, the place with it.
    """
    if _is_postgres():
        cursor.execute("SELECT " + ", ".join(f"set_config('{name}', 'off', true)" for name in _OFF))


def _take_place(cursor: Any) -> Place | None:
    """The place, held until the end of the transaction; None where somebody else holds it."""
    lock = " FOR UPDATE SKIP LOCKED" if _is_postgres() else ""
    query = f"SELECT epoch, seq FROM {_PLACE} WHERE id = {_FIRST_ROW}{lock}"  # noqa: S608 - constants
    insert = (
        f"INSERT INTO {_PLACE} (id, epoch, seq) VALUES ({_FIRST_ROW}, '', 0)"  # noqa: S608 - constants
        " ON CONFLICT DO NOTHING"
    )
    cursor.execute(query)
    row = cursor.fetchone()
    if row is None:
        cursor.execute(insert)
        cursor.execute(query)
        row = cursor.fetchone()
    return None if row is None else Place(*row)


def _move(cursor: Any, place: Place) -> None:
    update = f"UPDATE {_PLACE} SET epoch = %s, seq = %s WHERE id = {_FIRST_ROW}"  # noqa: S608 - constants
    cursor.execute(update, [place.epoch, place.seq])


def _look_ahead(
    cursor: Any, begin: Place, upto: Place | None, most: int
) -> tuple[int, Place | None, dict[str, int]]:
    """How many predictions the slice has, where it ends, and the lengths of its horizons in microseconds."""
    bound, values = "", [begin.epoch, begin.seq]
    if upto is not None:
        bound, values = " AND (epoch, seq) <= (%s, %s)", [*values, upto.epoch, upto.seq]
    query = (
        f"SELECT epoch, horizon, MAX(seq), COUNT(*) FROM (SELECT epoch, seq, horizon FROM {_RECORD}"  # noqa: S608
        f" WHERE (epoch, seq) > (%s, %s){bound} ORDER BY epoch, seq LIMIT {int(most)}) AS slice"
        " GROUP BY epoch, horizon"
    )
    cursor.execute(query, values)
    rows = cursor.fetchall()
    lengths = {label: horizons.read_length(label) for _, label, _, _ in rows}
    return (
        sum(count for _, _, _, count in rows),
        max((Place(epoch, seq) for epoch, _, seq, _ in rows), default=None),
        {label: length // _MICROSECOND for label, length in lengths.items() if length is not None},
    )


def _note(cursor: Any, span: list[Any], lengths: dict[str, int]) -> None:
    """Make a row for each prediction of the slice that has none."""
    values = [msgspec.json.encode(lengths).decode(), *span]
    if _is_postgres():
        cursor.execute(statements.NOTE_POSTGRES, values)
        return
    cursor.execute(statements.NOTE_SQLITE, values)
    fields = ("symbol", "model_version", "horizon", "day", "due_at", "passed_at")
    rows = [_made_in_sqlite(*row) for row in cursor.fetchall()]
    _give_back(cursor, "made", fields, rows, statements.COUNT_MADE)


def _made_in_sqlite(symbol: str, model: str, horizon: str, as_of: Any, due_at: Any) -> Sequence[Any]:
    begun = as_moment(as_of)
    day = begun.date()
    if due_at is None:
        return symbol, model, horizon, day.isoformat(), None, None
    midnight = begun.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    passed_at = connection.ops.adapt_datetimefield_value(midnight + (as_moment(due_at) - begun))
    return symbol, model, horizon, day.isoformat(), str(due_at), passed_at


def _settle(cursor: Any, span: list[Any], now: datetime, most: int) -> int:
    """Settle what the slice brings, `most` at most; how many that were."""
    settled = 0
    for statement in statements.SETTLE_POSTGRES if _is_postgres() else statements.SETTLE_SQLITE:
        if settled < most:
            values = [*span, most - settled, connection.ops.adapt_datetimefield_value(now)]
            settled += _settle_by(cursor, statement, values)
    return settled


def _settle_by(cursor: Any, statement: str, values: list[Any]) -> int:
    cursor.execute(statement, values)
    if _is_postgres():
        return int(cursor.fetchone()[0])
    rows = cursor.fetchall()
    _give_back(cursor, "settled", [*statements.SETTLED, "day"], rows, statements.COUNT_SETTLED_SQLITE)
    return len(rows)


def _give_back(cursor: Any, name: str, fields: Sequence[str], rows: Sequence[Any], statement: str) -> None:
    """Run `statement` on `rows` as a table called `name`."""
    if rows:
        columns = ", ".join(statements.FIELD_SQLITE.format(field) for field in fields)
        given = [dict(zip(fields, map(_plain, row), strict=True)) for row in rows]
        source = f"WITH {name} AS (SELECT {columns} FROM json_each(%s))"  # noqa: S608 - constants
        cursor.execute(f"{source} {statement}", [msgspec.json.encode(given).decode()])


def _plain(value: Any) -> Any:
    """What a driver gives, as it stands in the database."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
