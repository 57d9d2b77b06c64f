"""Refused credentials: counted in this process by minute, reason, key and address; written every few seconds.

Never the credential itself. Bounded: beyond `_MOST` different ones between two flushes, the address is left
out.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

from accounts.models import AuthenticationFailure
from accounts.slices import as_table, write_in_slices
from observability import metrics

_MOST = 10_000
_REASONS = frozenset(
    {"malformed", "checksum", "unknown", "revoked", "expired", "inactive", "network", "token", "scope"}
)


class Failure(NamedTuple):
    """What failures are counted by."""

    minute: datetime
    reason: str
    key: str
    address: str


_lock = threading.Lock()
_counted: Counter[Failure] = Counter()


def count(*, reason: str, key: str, address: str) -> None:
    """Count a refusal for `reason`; `key` is a public id, or empty where none is known."""
    metrics.authentication_failures.labels(reason if reason in _REASONS else metrics.OTHER).inc()
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    _add(Failure(minute, reason[:12], key[:22], address[:45]), 1)


def flush() -> int:
    """Write what was counted; returns the number of rows. What cannot be written is kept for the next time.

    Raises Django's database errors.
    """
    with _lock:
        taken = sorted(_counted.items())
        _counted.clear()
    write_in_slices(taken, _write, _keep)
    return len(taken)


def prune(*, before: datetime) -> int:
    """Delete rows older than `before`; returns how many."""
    return AuthenticationFailure.objects.filter(minute__lt=before).delete()[0]


def _add(failure: Failure, number: int) -> None:
    with _lock:
        if failure not in _counted and len(_counted) >= _MOST:
            failure = failure._replace(address="", key="")
        _counted[failure] += number


def _keep(taken: Sequence[tuple[Failure, int]]) -> None:
    for failure, number in taken:
        _add(failure, number)


def _write(taken: Sequence[tuple[Failure, int]]) -> None:
    table = AuthenticationFailure._meta.db_table
    names = ", ".join(Failure._fields)
    source, values = as_table(
        AuthenticationFailure, (*Failure._fields, "count"), [(*failure, number) for failure, number in taken]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}, count) SELECT * FROM {source} WHERE true "  # noqa: S608 - our names
            f"ON CONFLICT ({names}) DO UPDATE SET count = {table}.count + excluded.count",
            values,
        )
