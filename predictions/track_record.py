"""Reading the track record: accuracy of a symbol from daily sums, outcomes of a page of history. I/O only.

Every function raises Django's `DatabaseError` family where the database fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from observability.driver_times import as_moment
from predictions.accuracy import Sums
from predictions.answers import OutcomeAnswer
from predictions.models import AccuracyDay, Outcome, Prediction

_RECORD, _DAYS = Prediction._meta.db_table, AccuracyDay._meta.db_table
_COUNTS = ("unreadable", "passed", "settled", "hits", "with_interval", "within_interval")
_READ = (
    "model_version",
    "unreadable",
    "passed",
    "settled",
    "first",
    "last",
    "error",
    "relative_error",
    "naive_error",
    "naive_relative_error",
    "hits",
    "with_interval",
    "within_interval",
    "interval_levels",
)
# A day counts as passed when the horizon of its last moment has; until then, what is settled of it.
_SUMS = """
SUM(unreadable), SUM(CASE WHEN passed_at <= %s THEN made ELSE settled END), SUM(settled),
MIN(first_as_of), MAX(last_as_of), SUM(error), SUM(relative_error), SUM(naive_error),
SUM(naive_relative_error), SUM(hits), SUM(with_interval), SUM(within_interval), SUM(interval_levels)
"""
_ACCURACY = f"""
WITH newest AS (
    SELECT as_of FROM {_RECORD} WHERE symbol = %s ORDER BY timestamp DESC, seq DESC LIMIT 1
)
SELECT newest.as_of, days.model_version, {_SUMS}
FROM newest LEFT JOIN {_DAYS} AS days ON days.symbol = %s AND {{within}}
GROUP BY newest.as_of, days.model_version ORDER BY days.model_version
"""  # noqa: S608 - constants
_WITHIN_POSTGRES = """
days.day BETWEEN ((newest.as_of AT TIME ZONE 'UTC') - %s * interval '1 second')::date
    AND (newest.as_of AT TIME ZONE 'UTC')::date
"""
_WITHIN_SQLITE = """
days.day BETWEEN COALESCE(date(newest.as_of, '-' || %s || ' seconds'), '') AND date(newest.as_of)
"""


@dataclass(frozen=True, slots=True)
class Track:
    """The sums of each model version, and the market time of the symbol's newest prediction."""

    newest_as_of: datetime
    sums: list[Sums]


def read_track(symbol: str, *, window: timedelta | None, now: datetime) -> Track | None:
    """The sums over the days from `window` before the newest market time to it; None for an unknown symbol.

    Whole UTC days: the first is the one in which the window begins. Without a window all there is. One query.
    """
    postgres = connection.vendor == "postgresql"
    values: list[Any] = [symbol, connection.ops.adapt_datetimefield_value(now), symbol]
    within = "true"
    if window is not None:
        within = _WITHIN_POSTGRES if postgres else _WITHIN_SQLITE
        seconds = window.total_seconds()
        values.append(seconds if postgres else str(seconds))
    with connection.cursor() as cursor:
        cursor.execute(_ACCURACY.format(within=within), values)
        rows = cursor.fetchall()
    if not rows:
        return None
    return Track(as_moment(rows[0][0]), [_sums(row[1:]) for row in rows if row[1] is not None])


def read_outcomes(
    symbol: str, *, oldest: datetime, newest: datetime
) -> dict[tuple[datetime, str], OutcomeAnswer]:
    """The known outcomes of `symbol` by timestamp and model version, between two timestamps. One query."""
    rows = Outcome.objects.filter(
        symbol=symbol, timestamp__range=(oldest, newest), settled_at__isnull=False
    ).values_list("timestamp", "model_version", "predicted_price", "actual_price", "actual_as_of")
    return {
        (timestamp, model): OutcomeAnswer(actual, as_of, predicted - actual)
        for timestamp, model, predicted, actual, as_of in rows
        if actual is not None and as_of is not None
    }


def _sums(row: Any) -> Sums:
    fields: dict[str, Any] = dict(zip(_READ, row, strict=True))
    for name in ("first", "last"):
        fields[name] = None if fields[name] is None else as_moment(fields[name])
    # Postgres sums integers to a decimal.
    return Sums(**{**fields, **{name: int(fields[name]) for name in _COUNTS}})
