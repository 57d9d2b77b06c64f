"""Numbers are rounded for people, in the right unit; whatever is no number for people says so."""

from __future__ import annotations

import pytest

from pipeline import wording
from pipeline.features import RETURN_1D, VOLATILITY_21D, VOLUME_Z_63D


@pytest.mark.parametrize(
    ("log_return", "change", "size"),
    [
        (0.018609, "+1.88%", "1.88%"),
        (-0.018609, "-1.84%", "1.84%"),
        (0.00087, "+0.087%", "0.087%"),
        (0.0, "0%", "less than 0.001%"),
        (1e-9, "almost 0%", "less than 0.001%"),
        (1.0, "+171.83%", "171.83%"),
        (900.0, "+900 in log return", "900 in log return"),
        (-900.0, "-900 in log return", "900 in log return"),
    ],
)
def test_moves_read_as_percent(log_return: float, change: str, size: str) -> None:
    assert (wording.change(log_return), wording.size(log_return)) == (change, size)


@pytest.mark.parametrize(
    ("log_return", "points", "push"),
    [
        (0.00074, "+0.074", "adds 0.074 percentage points"),
        (-0.0123, "-1.23", "takes away 1.23 percentage points"),
        (9e-6, "almost 0", "adds almost nothing"),
        (-9e-6, "almost 0", "adds almost nothing"),
        (0.0, "0", "adds nothing"),
        (1e300, "+1e+302", "adds 1e+302 percentage points"),
    ],
)
def test_parts_read_as_percentage_points(log_return: float, points: str, push: str) -> None:
    assert (wording.points(log_return), wording.push(log_return)) == (points, push)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (675.68, 676.2681, ("$675.68", "$676.27")),
        (1234.5, 1234.501, ("$1,234.500", "$1,234.501")),
        (2.0, 2.0 + 1e-12, ("$2.00", "$2.00")),
        (1e300, 1.0, ("$1e+300", "$1")),
        (5e-324, 0.0001, ("$4.940656458e-324", "$0.0001")),
    ],
)
def test_prices_show_the_decimals_that_tell_them_apart(
    first: float, second: float, expected: tuple[str, str]
) -> None:
    assert wording.prices(first, second, "$") == expected


def test_an_inputs_value_is_in_its_own_unit() -> None:
    assert wording.reading(RETURN_1D, -0.02) == "-1.98%"
    assert wording.reading(VOLATILITY_21D, 0.0123) == "1.23%"
    assert wording.reading(VOLUME_Z_63D, 0.5) == "+0.50 standard deviations"


def test_lists_and_counts_read_as_english() -> None:
    assert [wording.listed(["a", "b", "c"][:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]
    assert wording.listed(["a", "b"], "or") == "a or b"
    assert [wording.counted(n, "day") for n in (0, 1, 1250)] == ["0 days", "1 day", "1,250 days"]
    assert [wording.in_words(n) for n in (0, 3, 11, 1250)] == ["no", "three", "11", "1,250"]
    assert wording.opened("the end") == "The end"


def test_foreign_names_stay_on_one_line_and_short() -> None:
    assert wording.shorten("größe 📈") == "größe 📈"
    assert wording.shorten("a\n\x01\tb\u2028c") == "a b c"
    assert wording.shorten("x" * 200) == "x" * 59 + "…"
    assert wording.shorten("x" * 60) == "x" * 60
    assert wording.shorten("\x01\x02") == "(unprintable)"


def test_a_statement_keeps_its_sources_in_order() -> None:
    said = wording.say("b", "a", text="So it is.")
    assert (said.text, said.sources) == ("So it is.", ["b", "a"])
