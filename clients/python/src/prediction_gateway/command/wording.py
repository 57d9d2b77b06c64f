"""Numbers and moments as people read them. Pure."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec


def shown(text: str) -> str:
    r"""One line with words of somebody else, fit for a terminal: what would steer it is escaped (``\x1b``).

    So are ends of lines, which would look like lines of ours, and marks that turn the direction of writing.
    """
    return "".join(_escaped(one) if unicodedata.category(one) in _STEERING else one for one in text)


def _escaped(one: str) -> str:
    return one.encode("unicode_escape").decode("ascii")


def json_line(value: object) -> str:
    r"""One line of JSON, fit for a terminal as well: a program that reads it gets the same text back.

    JSON itself escapes only what is below a blank; a terminal obeys more (``\u009b`` begins a sequence).
    """
    text = msgspec.json.encode(value).decode()
    return "".join(_escaped_for_json(one) if unicodedata.category(one) in _STEERING else one for one in text)


def _escaped_for_json(one: str) -> str:
    units = one.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def price(value: float) -> str:
    """A price: two decimals, more where it is less than one."""
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.6g}"


def per_cent(value: float) -> str:
    """A signed share in per cent; a question mark for what is no number."""
    return f"{value:+.3f}%" if math.isfinite(value) else "?"


def contribution(value: float) -> str:
    """A log return as the per cent that it is."""
    return per_cent(math.expm1(value) * 100) if value < 700 else "?"


def length(seconds: float) -> str:
    """A length of time: ``24 ms``, ``1.3 s``, ``12 min``, ``5.0 h``, ``3.2 d``."""
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    for size, unit, decimals in ((60, "s", 1), (3600, "min", 0), (86_400, "h", 1)):
        if abs(seconds) < size:
            return f"{seconds / _SECONDS[unit]:.{decimals}f} {unit}"
    return f"{seconds / 86_400:.1f} d"


def moment(value: datetime) -> str:
    """A moment in UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def clock(value: datetime) -> str:
    """The time of day in UTC, to the millisecond."""
    return value.astimezone(UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Lines with the columns under each other; those in `right` end at the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: control, format, surrogate, separators of lines and paragraphs."""
_SECONDS = {"s": 1, "min": 60, "h": 3600}
