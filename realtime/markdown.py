"""Tables in Markdown, and their place between two markers of a document. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def renewed(text: str, name: str, table: str) -> str:
    """Markdown `text` with `table` between the markers of `name`; ValueError where one is missing."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"there is no line {begin.strip()!r}, or no {end!r} after it")
    before, _, rest = text.partition(begin)
    return f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Markdown of a heading and its rows; a bar in a cell is a bar."""
    lines = [heading, ("---",) * len(heading), *rows]
    shown = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    return "\n".join(shown).replace("| --- |", "|---|").replace(" --- |", "---|") + "\n"
