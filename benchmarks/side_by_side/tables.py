"""Rows of measurement as Markdown: a line a label, medians with their range, ratios to others. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.side_by_side.figures import Spread, spread

# Above this the client could not read faster: the row tells at least as much of it as of the server.
BUSY_CLIENT = 80.0
CLIENT_KEY = "client_cpu"


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of the table; with `ratio` its median is followed by how many times the reference's it is."""

    key: str
    heading: str
    digits: int = 1
    ratio: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What one round measured of one contender."""

    label: str
    figures: dict[str, float]


SERVER_CPU = Column("server_cpu", "server CPU %", 0)
CLIENT_CPU = Column(CLIENT_KEY, "client CPU %", 0)
# What else the machine did: above a few per cent, times are not to be trusted.
OTHERS_CPU = Column("others_cpu", "others' CPU %", 0)


def render(columns: Sequence[Column], rows: Sequence[Row], *, reference: str | None = None) -> str:
    """The table: for each label the rows' medians, with the range in brackets where there are several.

    `reference` is the label that ratios are to, wherever it took part.
    """
    found: dict[str, dict[str, Spread]] = {}
    for label in dict.fromkeys(row.label for row in rows):
        own = [row.figures for row in rows if row.label == label]
        found[label] = {
            column.key: spread([figures[column.key] for figures in own if column.key in figures])
            for column in columns
            if any(column.key in figures for figures in own)
        }
    compared: dict[str, Spread] = {} if reference is None else found.get(reference, {})
    lines = [["", *(column.heading for column in columns)]]
    for label, spreads in found.items():
        cells = [_cell(column, spreads.get(column.key), compared.get(column.key)) for column in columns]
        busy = CLIENT_KEY in spreads and spreads[CLIENT_KEY].median > BUSY_CLIENT
        lines.append([f"{label} (client-bound)" if busy else label, *cells])
    return align(lines)


def _cell(column: Column, own: Spread | None, reference: Spread | None) -> str:
    if own is None:
        return "-"
    text = f"{own.median:,.{column.digits}f}"
    if own.least != own.most:
        text += f" ({own.least:,.{column.digits}f}-{own.most:,.{column.digits}f})"
    if column.ratio and reference is not None and reference is not own and reference.median:
        text += f" x{own.median / reference.median:.2f}"
    return text


def align(lines: Sequence[Sequence[str]]) -> str:
    """A table of Markdown that reads well as text, too; the first line is its head."""
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 1) + (":" if place else "-") for place, width in enumerate(widths))
    return "\n".join([padded[0], rule + "|", *padded[1:]])


def replace_section(text: str, heading: str, body: str) -> str:
    """`text` with its section `heading` (a ``## `` line) made `body`, or appended where there is none."""
    section = f"{heading}\n\n{body.strip()}\n"
    before, found, rest = f"\n{text}".partition(f"\n{heading}\n")
    if not found:
        return f"{text.rstrip()}\n\n{section}" if text.strip() else section
    _, following, after = rest.partition("\n## ")
    return (f"{before}\n{section}" + (f"\n## {after}" if following else "")).removeprefix("\n")
