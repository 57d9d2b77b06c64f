"""When, from where and by what each key was used last: kept in this process, written every few seconds.

A use that is older than what is stored (several processes write) changes nothing.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from accounts.models import ApiKey
from accounts.slices import write_in_slices


class Use(NamedTuple):
    """One use of a key."""

    at: datetime
    address: str
    agent: str


_lock = threading.Lock()
_uses: dict[uuid.UUID, Use] = {}


def note(key_id: uuid.UUID, *, at: datetime, address: str, agent: str) -> None:
    """The key was used. There are never more entries than keys that are good, and each is short."""
    use = Use(at, address, _clean(agent))
    # Without the lock a use could land in what `flush` has taken already, and be lost.
    with _lock:
        _uses[key_id] = use


def flush() -> int:
    """Write the last uses, in one statement for up to 500 keys; returns how many there were.

    What cannot be written is kept for the next time. Raises Django's database errors.
    """
    global _uses
    with _lock:
        taken, _uses = _uses, {}
    # Sorted, so that two processes lock the same rows in the same order.
    write_in_slices(sorted(taken.items()), _write, _keep)
    return len(taken)


def _keep(rows: Sequence[tuple[uuid.UUID, Use]]) -> None:
    with _lock:
        for key_id, use in rows:
            _uses.setdefault(key_id, use)


def _write(rows: Sequence[tuple[uuid.UUID, Use]]) -> None:
    table = ApiKey._meta.db_table
    id_field, at_field = ApiKey._meta.get_field("id"), ApiKey._meta.get_field("last_used_at")
    values = [
        value
        for key_id, use in rows
        for value in (
            id_field.get_db_prep_value(key_id, connection),
            at_field.get_db_prep_value(use.at, connection),
            use.address[:45],
            use.agent,
        )
    ]
    # "column1" and so on are what both databases call the columns of VALUES.
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET last_used_at = v.column2, last_used_address = v.column3, "  # noqa: S608
            f"last_used_agent = v.column4 FROM (VALUES {', '.join(['(%s, %s, %s, %s)'] * len(rows))}) AS v "
            f"WHERE {table}.id = v.column1 "
            f"AND ({table}.last_used_at IS NULL OR {table}.last_used_at < v.column2)",
            values,
        )


def _clean(agent: str) -> str:
    """Postgres takes no NUL in a text."""
    return agent.replace("\0", "")[:200]
