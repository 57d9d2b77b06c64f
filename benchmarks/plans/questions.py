"""What is asked most: calls of the gateway's own functions, each of which sends one statement.

The first three are asked of the table that grows without end; the others must not grow slower beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.directory import Directory
from benchmarks.plans.filling import EPOCH, Filled
from explanations import jobs, ordering, reads
from predictions import record

_PAGE = 100
_SYMBOLS = 100
_MISSED = 1000
_SPAN = 100_000

Ask = Callable[[Filled, int], Any]


@dataclass(frozen=True, slots=True)
class Question:
    """`ask` calls the function for the n-th time, with other values each time where the call has any."""

    name: str
    asked_by: str
    ask: Ask


def _history(filled: Filled, n: int) -> Any:
    middle = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=60 * (filled.rows // 2))
    symbol = filled.symbols[n % len(filled.symbols)]
    return record.history(
        symbol, start=None, end=None, before=(middle, 2**62), limit=_PAGE + 1, with_features=False
    )


def _newest(filled: Filled, n: int) -> Any:
    return record.newest(_some_symbols(filled, n))


def _missed(filled: Filled, n: int) -> Any:
    seen = dict.fromkeys(_some_symbols(filled, n), max(0, filled.rows - _SPAN))
    return record.missed(EPOCH, seen, limit=_MISSED + 1)


def _some_symbols(filled: Filled, n: int) -> list[str]:
    first = n * 7 % max(1, len(filled.symbols) - _SYMBOLS)
    return filled.symbols[first : first + _SYMBOLS]


def _explanation(filled: Filled, n: int) -> Any:
    return reads.newest_explanation(filled.symbols[n % len(filled.symbols)], None)


def _explanation_of_a_depth(filled: Filled, n: int) -> Any:
    # From the other end: what was read above is in Redis now.
    return reads.newest_explanation(filled.symbols[-1 - n % len(filled.symbols)], "deep")


def _key(filled: Filled, n: int) -> Any:
    return Directory().load_key(filled.keys[n % len(filled.keys)])


def _in_flight(filled: Filled, _: int) -> Any:
    return ordering.count_in_flight(filled.busiest_account)


def _jobs(filled: Filled, n: int) -> Any:
    return list(jobs.find_all([filled.jobs[n * 13 % len(filled.jobs)]]))


QUESTIONS = (
    Question(
        "A page of history",
        f"`GET /api/prediction/{{symbol}}/history`: {_PAGE} from a cursor in the middle of the record",
        _history,
    ),
    Question(
        "The newest of many",
        f"`GET /api/predictions` of {_SYMBOLS} symbols that Redis does not have",
        _newest,
    ),
    Question(
        "What was missed",
        f"`subscribe` with `since` {_SPAN:,} updates ago, {_SYMBOLS} symbols: the first {_MISSED:,}",
        _missed,
    ),
    Question("A key", "the first call with a key in each process, and one after each change of it", _key),
    Question("Jobs in flight", "each order of an explanation", _in_flight),
    Question("A job", "`GET /api/explanation/job/{job_id}`", _jobs),
    Question(
        "The newest explanation", "`GET /api/explanation/{symbol}` that Redis does not have", _explanation
    ),
    Question("The newest of a depth", "the same with `?depth=deep`", _explanation_of_a_depth),
)
