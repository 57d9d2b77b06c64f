"""Usage: calls counted in this process, added every few seconds to hourly rows that all processes share.

`count` costs a dictionary look-up; `flush` is one statement for up to 500 rows. What was counted and not yet
written is lost with a process that is killed. Bounded: beyond `_MOST_ROWS` rows between two flushes, calls
are counted without their key.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import F, Max, Sum
from django.db.models.functions import TruncDate

from accounts.models import UsageHour
from accounts.models.records import NO_ACCOUNT, NO_KEY
from accounts.slices import as_table, write_in_slices

_MOST_ROWS = 50_000
_THROTTLED = 429


class Row(NamedTuple):
    """What a row is about, in a form that is hashed quickly: `hour` since 1970, `key_id` as a number."""

    hour: int
    account_id: int
    key_id: int
    route: str
    status_class: int


@dataclass(slots=True)
class Tally:
    """What is added up in it."""

    calls: int = 0
    errors: int = 0
    throttled: int = 0
    latency_sum_ms: float = 0.0
    latency_max_ms: float = 0.0
    bytes_out: int = 0

    def add(self, other: Tally) -> None:
        """Take `other` in."""
        self.calls += other.calls
        self.errors += other.errors
        self.throttled += other.throttled
        self.latency_sum_ms += other.latency_sum_ms
        self.latency_max_ms = max(self.latency_max_ms, other.latency_max_ms)
        self.bytes_out += other.bytes_out


_added_up = attrgetter(*Tally.__slots__)
_lock = threading.Lock()
_tallies: dict[Row, Tally] = {}


def count(
    *,
    account_id: int,
    key_id: uuid.UUID,
    route: str,
    status: int,
    latency_ms: float,
    bytes_out: int,
    at: datetime,
    is_error: bool | None = None,
) -> None:
    """Count one call; `account_id` and `key_id` are `NO_ACCOUNT` and `NO_KEY` for callers without any.

    `is_error` says whether this server has failed; unless given, a status of 500 or above does.
    """
    has_failed = status >= 500 if is_error is None else is_error
    row = Row(int(at.timestamp()) // 3600, account_id, key_id.int, route, status // 100)
    with _lock:
        tally = _tallies.get(row) or _begin(row)
        tally.calls += 1
        tally.errors += has_failed
        tally.throttled += status == _THROTTLED
        tally.latency_sum_ms += latency_ms
        tally.latency_max_ms = max(tally.latency_max_ms, latency_ms)
        tally.bytes_out += bytes_out


def flush() -> int:
    """Write what was counted; returns the number of rows. What cannot be written is kept for the next time.

    Raises Django's database errors.
    """
    with _lock:
        taken = sorted(_tallies.items())
        _tallies.clear()
    write_in_slices(taken, _write, _keep)
    return len(taken)


def prune(*, before: datetime) -> int:
    """Delete rows older than `before`; returns how many."""
    return UsageHour.objects.filter(hour__lt=before).delete()[0]


def of_account(account_id: int, *, now: datetime, days: int) -> list[dict[str, Any]]:
    """Calls of the account in the last `days` days, by day and route, newest first.

    Each entry has `day` (a date in UTC), `route`, `calls`, `errors`, `throttled`, `latency_avg_ms`,
    `latency_max_ms` and `bytes_out`. One query.
    """
    first = (now - timedelta(days=days - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        UsageHour.objects.filter(account_id=account_id, hour__gte=first)
        .values("route", day=TruncDate("hour"))
        .annotate(
            sum_calls=Sum("calls"),
            sum_errors=Sum("errors"),
            sum_throttled=Sum("throttled"),
            latency_avg_ms=Sum("latency_sum_ms") / Sum(F("calls")),
            max_ms=Max("latency_max_ms"),
            sum_bytes=Sum("bytes_out"),
        )
        .order_by("-day", "route")
    )
    return [
        {
            "day": row["day"],
            "route": row["route"],
            "calls": row["sum_calls"],
            "errors": row["sum_errors"],
            "throttled": row["sum_throttled"],
            "latency_avg_ms": round(row["latency_avg_ms"], 3),
            "latency_max_ms": round(row["max_ms"], 3),
            "bytes_out": row["sum_bytes"],
        }
        for row in rows
    ]


def _begin(row: Row) -> Tally:
    if len(_tallies) >= _MOST_ROWS:
        row = row._replace(account_id=NO_ACCOUNT, key_id=NO_KEY.int)
    return _tallies.setdefault(row, Tally())


def _keep(taken: Sequence[tuple[Row, Tally]]) -> None:
    with _lock:
        for row, tally in taken:
            (_tallies.get(row) or _begin(row)).add(tally)


def _write(taken: Sequence[tuple[Row, Tally]]) -> None:
    columns = (*Row._fields, *Tally.__slots__)
    greatest = "greatest" if connection.vendor == "postgresql" else "max"
    table = UsageHour._meta.db_table
    updates = {
        name: f"{table}.{name} + excluded.{name}" for name in Tally.__slots__ if name != "latency_max_ms"
    }
    updates["latency_max_ms"] = f"{greatest}({table}.latency_max_ms, excluded.latency_max_ms)"
    source, values = as_table(UsageHour, columns, [_stored(row, tally) for row, tally in taken])
    # Sorted, so that two processes that add to the same rows never wait for each other in a circle.
    statement = (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM {source} WHERE true "  # noqa: S608 - our names
        f"ON CONFLICT ({', '.join(Row._fields)}) DO UPDATE SET "
        + ", ".join(f"{name} = {value}" for name, value in updates.items())
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _stored(row: Row, tally: Tally) -> tuple[Any, ...]:
    """The values of a row's columns."""
    hour = datetime.fromtimestamp(row.hour * 3600, UTC)
    return (hour, row.account_id, uuid.UUID(int=row.key_id), row.route, row.status_class, *_added_up(tally))
