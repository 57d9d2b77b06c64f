"""Ratios of contenders within rounds."""

from __future__ import annotations

import pytest

from benchmarks.http.ratios import Added, Ratio, render
from benchmarks.side_by_side.tables import Row


def rounds(**rates: list[float]) -> list[Row]:
    """Rows as contenders give them, taking turns."""
    turns = zip(*([(name, rate) for rate in own] for name, own in rates.items()), strict=True)
    return [Row(name, {"rps": rate}) for turn in turns for name, rate in turn]


def test_a_ratio_is_taken_within_each_round() -> None:
    rows = rounds(gateway=[100.0, 300.0, 80.0], fastapi=[10.0, 20.0, 8.0])

    assert Ratio("gateway", "fastapi").of_rounds(rows) == [10.0, 15.0, 10.0]


def test_a_round_that_has_not_ended_does_not_count() -> None:
    rows = [*rounds(gateway=[100.0], fastapi=[10.0]), Row("gateway", {"rps": 300.0})]

    assert Ratio("gateway", "fastapi").of_rounds(rows) == [10.0]


def test_a_line_has_the_median_the_least_the_most_and_the_goals() -> None:
    rows = rounds(gateway=[100.0, 300.0, 80.0], fastapi=[10.0, 20.0, 10.0])

    table = render([Ratio("gateway", "fastapi", floor=8, aim=12)], rows).splitlines()

    assert [cell.strip() for cell in table[0].strip("|").split("|")] == [
        *("ratio of requests/s", "median", "least", "most", "floor", "aim")
    ]
    assert [cell.strip() for cell in table[2].strip("|").split("|")] == [
        *("gateway : fastapi", "10.00", "8.00", "15.00", "8", "12")
    ]


def test_a_ratio_without_goals_has_dashes() -> None:
    table = render([Ratio("gateway", "fastapi")], rounds(gateway=[2.0], fastapi=[1.0])).splitlines()

    assert [cell.strip() for cell in table[2].strip("|").split("|")][-2:] == ["-", "-"]


@pytest.mark.parametrize("under", ["fastify", "nobody"])
def test_a_contender_that_did_not_take_part_has_no_ratio(under: str) -> None:
    assert render([Ratio("gateway", under)], rounds(gateway=[2.0], fastapi=[1.0])) == ""


def test_added_time_is_taken_within_each_round() -> None:
    rows = [Row(name, {"p50": p50}) for name, p50 in (("a", 3.0), ("b", 1.0), ("a", 5.0), ("b", 4.0))]

    assert Added("a", "b").of_rounds(rows) == [2.0, 1.0]


def test_added_time_has_a_table_of_its_own() -> None:
    rows = [Row("a", {"rps": 9.0, "p99": 3.25}), Row("b", {"rps": 3.0, "p99": 1.0})]

    ratios, added = render([Added("a", "b", key="p99"), Ratio("a", "b")], rows).split("\n\n")

    assert "| a : b" in ratios
    assert "3.00" in ratios
    assert "| p99, a - b" in added
    assert "2.250" in added
