"""Which symbols the record knows. I/O only; raises Django's `DatabaseError` where the database fails."""

from __future__ import annotations

from django.db import connection

from predictions.models import Prediction

_TABLE = Prediction._meta.db_table
# One look-up in the index for each symbol; `SELECT DISTINCT` would read the whole record.
_NEXT = f"""
WITH RECURSIVE known(symbol) AS (
    SELECT MIN(symbol) FROM {_TABLE} WHERE symbol > %s
    UNION ALL
    SELECT (SELECT MIN(p.symbol) FROM {_TABLE} AS p WHERE p.symbol > known.symbol)
    FROM known WHERE known.symbol IS NOT NULL
)
SELECT symbol FROM known WHERE symbol IS NOT NULL LIMIT %s
"""  # noqa: S608 - the name of our own table


def after(symbol: str, *, limit: int) -> list[str]:
    """The first `limit` symbols after `symbol` in the database's order; after "" all of them."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, [symbol, limit])
        return [row[0] for row in cursor.fetchall()]
