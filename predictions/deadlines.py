"""A deadline for each statement of a transaction, so that none holds the locks of the database for long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

_CANCELLED_IN_POSTGRES, _INTERRUPTED_IN_SQLITE = "57014", "SQLITE_INTERRUPT"
# So many of SQLite's instructions take less than a millisecond.
_INSTRUCTIONS = 10_000


class DeadlinePassed(Exception):
    """A statement took longer than it may; its transaction is to be rolled back."""


@contextmanager
def deadline(cursor: Any, seconds: float) -> Iterator[None]:
    """Let no statement within take longer than `seconds`; waiting for a lock ends earlier, as its own error.

    Must be in a transaction and be left before its end, to which Postgres keeps it. Raises `DeadlinePassed`.
    SQLite, where others wait for the whole transaction, counts from the beginning on.
    """
    try:
        if connection.vendor == "postgresql":
            _limit_postgres(cursor, seconds)
            yield
        else:
            with _limited_sqlite(seconds):
                yield
    except OperationalError as error:
        if _is_of_deadline(error.__cause__):
            raise DeadlinePassed from error
        raise


def _limit_postgres(cursor: Any, seconds: float) -> None:
    # Who waits for a lock is not slow: that is told apart.
    limits = {"lock_timeout": seconds / 2, "statement_timeout": seconds}
    settings = ", ".join(
        f"set_config('{name}', '{int(limit_s * 1000)}ms', true)" for name, limit_s in limits.items()
    )
    cursor.execute(f"SELECT {settings}")


@contextmanager
def _limited_sqlite(seconds: float) -> Iterator[None]:
    driver, end = connection.connection, time.monotonic() + seconds
    driver.set_progress_handler(lambda: time.monotonic() > end, _INSTRUCTIONS)
    try:
        yield
    finally:
        driver.set_progress_handler(None, _INSTRUCTIONS)


def _is_of_deadline(cause: BaseException | None) -> bool:
    return (
        getattr(cause, "sqlstate", None) == _CANCELLED_IN_POSTGRES
        or getattr(cause, "sqlite_errorname", None) == _INTERRUPTED_IN_SQLITE
    )
