"""The tables of measurements side by side, and the section they fill."""

from __future__ import annotations

from benchmarks.side_by_side.tables import CLIENT_CPU, Column, Row, render, replace_section

COLUMNS = [Column("ms", "median ms", ratio=True), Column("lost", "lost", 0), CLIENT_CPU]


def cells(table: str) -> list[list[str]]:
    """The table without its rule."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [lines[0], *lines[2:]]


def test_a_label_has_one_line_with_the_median_the_range_and_the_ratio_to_the_reference() -> None:
    rows = [
        Row("gateway", {"ms": 12.0, "lost": 0, "client_cpu": 40}),
        Row("picows", {"ms": 8.0, "lost": 0, "client_cpu": 40}),
        Row("gateway", {"ms": 10.0, "lost": 3, "client_cpu": 40}),
        Row("gateway", {"ms": 30.0, "lost": 0, "client_cpu": 40}),
    ]

    assert cells(render(COLUMNS, rows, reference="picows")) == [
        ["", "median ms", "lost", "client CPU %"],
        ["gateway", "12.0 (10.0-30.0) x1.50", "0 (0-3)", "40"],
        ["picows", "8.0", "0", "40"],
    ]


def test_a_row_that_measured_the_client_says_so() -> None:
    table = render(COLUMNS, [Row("gateway", {"ms": 12.0, "lost": 0, "client_cpu": 81})])

    assert "gateway (client-bound)" in table


def test_what_was_not_measured_is_a_dash() -> None:
    assert cells(render(COLUMNS, [Row("gateway", {"ms": 1.0})]))[1] == ["gateway", "1.0", "-", "-"]


def test_a_section_is_replaced_and_its_neighbours_are_kept() -> None:
    before = "# Results\n\n## REST\n\nfast\n\n## Sockets\n\nold\n\n### steady\n\nold\n\n## Other\n\nkept\n"

    after = replace_section(before, "## Sockets", "new\n\n### steady\n\nnew")

    assert after == (
        "# Results\n\n## REST\n\nfast\n\n## Sockets\n\nnew\n\n### steady\n\nnew\n\n## Other\n\nkept\n"
    )


def test_a_section_that_is_missing_is_appended() -> None:
    assert replace_section("# Results\n", "## Sockets", "new") == "# Results\n\n## Sockets\n\nnew\n"
    assert replace_section("", "## Sockets", "new") == "## Sockets\n\nnew\n"


def test_a_section_at_the_end_is_replaced() -> None:
    assert replace_section("## Sockets\n\nold\n", "## Sockets", "new") == "## Sockets\n\nnew\n"
