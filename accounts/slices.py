"""Writing many rows in statements of a bounded size, so that no error loses any or writes one twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

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
