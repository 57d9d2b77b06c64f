"""Writing many rows in statements of a bounded size, so that no error loses any or writes one twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db import connection, models

R = TypeVar("R")

ROWS_AT_ONCE = 500


def write_in_slices(
    rows: Sequence[R], write: Callable[[Sequence[R]], None], keep: Callable[[Sequence[R]], None]
) -> None:
    """Call `write` for up to 500 of `rows` at a time; what an error has left unwritten goes to `keep`."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        try:
            write(rows[start : start + ROWS_AT_ONCE])
        except BaseException:
            keep(rows[start:])
            raise


def as_table(
    model: type[models.Model], names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[str, list[Any]]:
    """`rows` with values of the fields `names` of `model`, as SQL for a FROM, and its parameters.

    A table `v` with the columns column1, column2 and so on. In Postgres it comes as an array a column: a
    placeholder for each value would take several times the CPU, which callers wait for.
    """
    fields = [model._meta.get_field(name) for name in names]
    if connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{field.db_type(connection)}[]" for field in fields)
        columns = ", ".join(f"column{number}" for number in range(1, len(fields) + 1))
        return f"unnest({arrays}) AS v ({columns})", [list(column) for column in zip(*rows, strict=True)]
    one = f"({', '.join(['%s'] * len(fields))})"
    prepared = [
        field.get_db_prep_save(value, connection)  # type: ignore[union-attr] # concrete fields all
        for row in rows
        for field, value in zip(fields, row, strict=True)
    ]
    return f"(VALUES {', '.join([one] * len(rows))}) AS v", prepared
