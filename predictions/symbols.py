"""What a symbol and a list of symbols must look like. Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

from events.prediction_updated import MAX_SYMBOL_LENGTH

MAX_SYMBOLS = 100
_LONGEST_COUNTED = 8192


class MalformedSymbol(ValueError):
    """The text is no symbol; the message says what one looks like."""


class BadSymbolCount(ValueError):
    """No symbol at all, or more than `MAX_SYMBOLS` different ones."""


def check_symbol(text: str, pattern: re.Pattern[str]) -> str:
    """Return `text` if it is a symbol. Lower case is refused, not guessed."""
    if len(text) <= MAX_SYMBOL_LENGTH and pattern.fullmatch(text):
        return text
    shown = text[:MAX_SYMBOL_LENGTH].encode("unicode_escape").decode("ascii")
    meant = text[: MAX_SYMBOL_LENGTH + 1].upper()
    is_symbol = len(meant) <= MAX_SYMBOL_LENGTH and pattern.fullmatch(meant)
    hint = f" Did you mean {meant}?" if is_symbol else ""
    raise MalformedSymbol(f"'{shown}' is not a symbol: it must match {pattern.pattern}.{hint}")


def split_symbols(text: str, pattern: re.Pattern[str]) -> list[str]:
    """Read ``A,B,A`` as ``["A", "B"]``: 1 to 100 different symbols, duplicates folded, order kept.

    Raises `BadSymbolCount` or `MalformedSymbol`.
    """
    if not text:
        raise BadSymbolCount("Name at least one symbol: symbols=AAPL,MSFT.")
    symbols = list(dict.fromkeys(text.split(",")))
    if len(symbols) > MAX_SYMBOLS:
        raise BadSymbolCount(f"{len(symbols)} symbols; at most {MAX_SYMBOLS} in one call.")
    return [check_symbol(symbol, pattern) for symbol in symbols]


def count_symbols(query_string: bytes) -> int:
    """How many different symbols a raw query asks for: 1 to 100, whether they are well-formed or not.

    A query that is far longer than 100 symbols counts as 100 of them.
    """
    if len(query_string) > _LONGEST_COUNTED:
        return MAX_SYMBOLS
    values = parse_qs(query_string.decode("latin-1")).get("symbols", [""])
    return min(len(set(",".join(values).split(","))), MAX_SYMBOLS)
