"""Contenders compared, within a round and then over the rounds: what the machine did to both is gone.

Ratios of rates, and differences of times. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.side_by_side.figures import spread
from benchmarks.side_by_side.tables import Row, align


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the figure `key` of the row `under` that of the row `over` is.

    `floor` is what it must reach, `aim` what was hoped for.
    """

    over: str
    under: str
    floor: float | None = None
    aim: float | None = None
    key: str = "rps"

    def of_rounds(self, rows: Sequence[Row]) -> list[float]:
        """The ratio in each round in which both took part."""
        over, under = (_figures(rows, label, self.key) for label in (self.over, self.under))
        return [above / below for above, below in zip(over, under, strict=False) if below]


@dataclass(frozen=True, slots=True)
class Added(Ratio):
    """How many ms more the row `over` takes than the row `under`, of the figure `key`."""

    key: str = "p50"

    def of_rounds(self, rows: Sequence[Row]) -> list[float]:
        """The difference in each round in which both took part."""
        over, under = (_figures(rows, label, self.key) for label in (self.over, self.under))
        return [above - below for above, below in zip(over, under, strict=False)]


def _figures(rows: Sequence[Row], label: str, key: str) -> list[float]:
    """Of each round: a contender has its turn once in every one of them."""
    return [row.figures[key] for row in rows if row.label == label and key in row.figures]


def render(ratios: Sequence[Ratio], rows: Sequence[Row]) -> str:
    """The tables of those ratios and differences whose contenders took part; empty without any."""
    shares = [ratio for ratio in ratios if not isinstance(ratio, Added)]
    added = [ratio for ratio in ratios if isinstance(ratio, Added)]
    tables = (
        _table("ratio of requests/s", shares, [f"{one.over} : {one.under}" for one in shares], rows, 2),
        _table("added ms", added, [f"{one.key}, {one.over} - {one.under}" for one in added], rows, 3),
    )
    return "\n\n".join(table for table in tables if table)


def _table(
    heading: str, ratios: Sequence[Ratio], labels: Sequence[str], rows: Sequence[Row], digits: int
) -> str:
    lines = []
    for ratio, label in zip(ratios, labels, strict=True):
        found = ratio.of_rounds(rows)
        if found:
            over_rounds = spread(found)
            figures = (over_rounds.median, over_rounds.least, over_rounds.most)
            cells = [f"{figure:.{digits}f}" for figure in figures]
            goals = ["-" if goal is None else f"{goal:g}" for goal in (ratio.floor, ratio.aim)]
            lines.append([label, *cells, *goals])
    if not lines:
        return ""
    return align([[heading, "median", "least", "most", "floor", "aim"], *lines])
