"""How numbers and lists read in an explanation: rounded, with their unit, in plain English. Pure.

Only the texts are rounded here; fields keep full precision. What is said is decided elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from events.explanations import Statement
from pipeline.features import (
    MOMENTUM_21D,
    RETURN_1D,
    RETURN_2D,
    RETURN_5D,
    VOLATILITY_21D,
    VOLUME_Z_63D,
)
from pipeline.model import INTERCEPT

LABELS = {
    INTERCEPT: "the return of an average day",
    RETURN_1D: "the return over 1 day",
    RETURN_2D: "the return over 2 days",
    RETURN_5D: "the return over 5 days",
    MOMENTUM_21D: "the return over 21 days",
    VOLATILITY_21D: "the size of the daily swings over 21 days",
    VOLUME_Z_63D: "the trading volume compared with its last 63 days",
}

_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_MOST_NAME = 60
# Beyond a change of ten thousand percent a share of today's price says nothing to anybody.
_MOST_PERCENT_MOVE = math.log(100.0)


def percent(share: float, decimals: int = 1) -> str:
    """0.0125 as "1.2%"."""
    return f"{share:.{decimals}%}"


def change(log_return: float) -> str:
    """A log return as the change in percent that it means, signed: "+1.88%", "almost 0%"."""
    if abs(log_return) > _MOST_PERCENT_MOVE:
        return f"{log_return:+.4g} in log return"
    if abs(log_return) < 1e-5:
        return "almost 0%" if log_return else "0%"
    share = math.expm1(log_return)
    return f"{share:+.{_decimals(share)}%}"


def size(log_return: float) -> str:
    """How far a log return goes, without its sign: "1.88%", "less than 0.001%"."""
    if abs(log_return) > _MOST_PERCENT_MOVE:
        return f"{abs(log_return):.4g} in log return"
    share = abs(math.expm1(log_return))
    return "less than 0.001%" if share < 1e-5 else f"{share:.{_decimals(share)}%}"


def points(log_return: float) -> str:
    """A part of a move, signed, in percentage points but without the unit: "+0.074", "almost 0"."""
    if log_return == 0:
        return "0"
    if abs(log_return) > _MOST_PERCENT_MOVE:
        return f"{log_return * 100:+.4g}"
    if abs(log_return) < 1e-5:
        return "almost 0"
    return f"{log_return * 100:+.{_decimals(log_return)}f}"


def push(log_return: float) -> str:
    """What a part does to the predicted move, as the end of a sentence."""
    if abs(log_return) < 1e-5:
        return "adds almost nothing" if log_return else "adds nothing"
    amount = points(abs(log_return)).removeprefix("+")
    return f"{'adds' if log_return > 0 else 'takes away'} {amount} percentage points"


def prices(first: float, second: float, sign: str = "") -> tuple[str, str]:
    """Two prices with as many decimals as it takes to tell them apart, at most six."""
    if not all(0.01 <= one < 1e12 for one in (first, second)):
        return f"{sign}{first:.10g}", f"{sign}{second:.10g}"
    for decimals in range(2, 7):
        texts = f"{sign}{first:,.{decimals}f}", f"{sign}{second:,.{decimals}f}"
        if texts[0] != texts[1]:
            return texts
    return f"{sign}{first:,.2f}", f"{sign}{second:,.2f}"


def reading(name: str, value: float) -> str:
    """The value of the model's input `name` in its own unit."""
    if name == VOLUME_Z_63D:
        return f"{value:+.2f} standard deviations"
    return percent(value, 2) if name == VOLATILITY_21D else change(value)


def counted(number: int, noun: str) -> str:
    """`number` with its `noun`: "1 day", "1,250 days"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_words(number: int) -> str:
    """Small numbers spelled out."""
    return _WORDS[number] if 0 <= number < len(_WORDS) else f"{number:,}"


def listed(parts: Sequence[str], last: str = "and") -> str:
    """ "a, b and c"."""
    if len(parts) <= 1:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def opened(text: str) -> str:
    """`text` with its first letter in upper case, as a sentence begins."""
    return text[:1].upper() + text[1:]


def shorten(text: str, most: int = _MOST_NAME) -> str:
    """Somebody else's `text` on one line without control characters, of at most `most` characters."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    clean = f"{clean[: most - 1]}…" if len(clean) > most else clean
    return " ".join(clean.split()) or "(unprintable)"


def say(*sources: str, text: str) -> Statement:
    """A sentence with the ids of the sources that it rests on."""
    return Statement(text=text, sources=list(sources))


def _decimals(share: float) -> int:
    return 2 if abs(share) >= 0.000_995 else 3
