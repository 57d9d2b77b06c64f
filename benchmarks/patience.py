"""Statements that take longer than a gateway lets one take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import connection
from django.db.backends.utils import CursorWrapper


@contextlib.contextmanager
def patient_cursor() -> Iterator[CursorWrapper]:
    """A cursor of the connection whose statements take as long as they like."""
    with connection.cursor() as cursor:
        patience_s = connection.connection.patience_s
        cursor.execute("SET statement_timeout = 0")
        connection.connection.patience_s = None
        try:
            yield cursor
        finally:
            cursor.execute("RESET statement_timeout")
            connection.connection.patience_s = patience_s
