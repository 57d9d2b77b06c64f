"""A symbol is what the pattern says, letter by letter; a list of them is folded, bounded and in order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.prediction_updated import MAX_SYMBOL_LENGTH
from predictions.symbols import (
    MAX_SYMBOLS,
    BadSymbolCount,
    MalformedSymbol,
    check_symbol,
    count_symbols,
    split_symbols,
)

PATTERN = re.compile(r"^[A-Z]{1,5}$")
ANY_LENGTH = re.compile(r"[A-Z]+")
HUNDRED = [f"{first}{second}" for first in "ABCDEFGHIJ" for second in "KLMNOPQRST"]


def refusal(symbol: str, pattern: re.Pattern[str] = PATTERN) -> str:
    """What is said about `symbol` when it is refused."""
    with pytest.raises(MalformedSymbol) as raised:
        check_symbol(symbol, pattern)
    return str(raised.value)


@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=5))
def test_one_to_five_upper_case_letters_are_a_symbol_and_come_back_unchanged(symbol: str) -> None:
    assert check_symbol(symbol, PATTERN) == symbol
    assert split_symbols(symbol, PATTERN) == [symbol]


@pytest.mark.parametrize(
    "symbol", ["", "ABCDEF", "A1", "A.B", "A B", " A", "A ", "A\n", "\nA", "A\x00", "ÀÉ", "\uff21"]
)
def test_anything_else_is_refused_and_the_refusal_names_the_pattern(symbol: str) -> None:
    assert "must match ^[A-Z]{1,5}$" in refusal(symbol)


@pytest.mark.parametrize(("symbol", "meant"), [("aapl", "AAPL"), ("Aapl", "AAPL"), ("a", "A")])
def test_lower_case_is_refused_with_the_symbol_that_was_meant(symbol: str, meant: str) -> None:
    assert refusal(symbol).endswith(f" Did you mean {meant}?")


def test_no_guess_is_made_where_upper_case_would_not_help() -> None:
    assert all("Did you mean" not in refusal(symbol) for symbol in ("abcdef", "a.b", "1", "", "ABCDEF"))


def test_a_symbol_has_32_characters_at_most_whatever_the_pattern() -> None:
    assert check_symbol("A" * MAX_SYMBOL_LENGTH, ANY_LENGTH) == "A" * 32
    assert refusal("A" * 33, ANY_LENGTH)


def test_the_whole_symbol_must_match_a_pattern_without_anchors() -> None:
    assert refusal("AAPL1", ANY_LENGTH)
    assert refusal("1AAPL", ANY_LENGTH)


@given(st.text(st.characters(), max_size=200))
def test_a_refusal_quotes_a_short_beginning_in_printable_ascii(symbol: str) -> None:
    try:
        check_symbol(symbol, PATTERN)
    except MalformedSymbol as error:
        before = str(error).partition(" is not a symbol")[0]
        assert before.isascii()
        assert before.isprintable()
        assert len(before) <= 2 + 10 * MAX_SYMBOL_LENGTH


def test_a_list_folds_duplicates_and_keeps_the_order() -> None:
    assert split_symbols("B,A,B,C,A", PATTERN) == ["B", "A", "C"]


def test_a_hundred_different_symbols_are_accepted_and_one_more_is_not() -> None:
    assert split_symbols(",".join(HUNDRED), PATTERN) == HUNDRED
    assert len(HUNDRED) == MAX_SYMBOLS
    with pytest.raises(BadSymbolCount, match="101 symbols; at most 100"):
        split_symbols(",".join([*HUNDRED, "ZZ"]), PATTERN)


def test_duplicates_do_not_count_towards_the_hundred() -> None:
    assert split_symbols(",".join(HUNDRED * 3), PATTERN) == HUNDRED


def test_an_empty_list_is_refused_with_an_example() -> None:
    with pytest.raises(BadSymbolCount, match="symbols=AAPL,MSFT"):
        split_symbols("", PATTERN)


@pytest.mark.parametrize("text", [",", "A,", ",A", "A,,B", "A, B", "A;B", "A B", "A,b", "A,AAPLLL", "A\n,B"])
def test_one_malformed_symbol_refuses_the_list(text: str) -> None:
    with pytest.raises(MalformedSymbol):
        split_symbols(text, PATTERN)


def test_too_many_are_told_before_what_is_malformed() -> None:
    with pytest.raises(BadSymbolCount):
        split_symbols(",".join(f"x{number}" for number in range(101)), PATTERN)


def test_both_refusals_are_value_errors_of_different_kinds() -> None:
    assert issubclass(MalformedSymbol, ValueError)
    assert issubclass(BadSymbolCount, ValueError)
    assert not issubclass(BadSymbolCount, MalformedSymbol)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (b"", 1),
        (b"symbols=A,B,A", 2),
        (b"symbols=A,B&x=1", 2),
        (b"symbols=A&symbols=A,B,C", 3),
        (b"symbols=A&symbols=B", 2),
        (b"symbols=A%2CB", 2),
        (b"symbols=" + b",".join(b"S%d" % n for n in range(300)), MAX_SYMBOLS),
        (b"x=" + b"a" * 8192 + b"&symbols=A,B", MAX_SYMBOLS),
    ],
)
def test_a_query_costs_as_many_symbols_as_it_asks_for(query: bytes, count: int) -> None:
    assert count_symbols(query) == count
