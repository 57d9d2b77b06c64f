"""Asks a question many times, catches the statement that is sent, and has Postgres explain that one.

What is explained is the prepared statement of the connection itself: after a few executions Postgres may
plan it once for all values, and that plan is the one that production runs.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from psycopg import sql

from benchmarks.plans.filling import Filled
from benchmarks.plans.questions import Question

LEAST_RUNS = 10
"""psycopg prepares what it has sent five times, and Postgres plans that five times before it thinks again."""

_USED = re.compile(r"(?:Index (?:Only )?Scan(?: Backward)? using|Bitmap Index Scan on) (\w+)")
_WHOLE_TABLE = re.compile(r"Seq Scan on (\w+)")


class WholeTableRead(Exception):
    """A plan reads a table that grows from end to end; the text is the plan."""


class NotOneStatement(Exception):
    """A question is to send one statement, and one that is prepared; the text says what came."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a question was answered. Times are medians in milliseconds.

    `round_trip_ms` is of the statement alone, `call_ms` of the function that sends it and makes objects.
    `is_generic` says that Postgres has planned it once for all values.
    """

    question: Question
    plan: list[str]
    indexes: list[str]
    round_trip_ms: float
    call_ms: float
    is_generic: bool


class _Catcher:
    def __init__(self) -> None:
        self.caught: list[tuple[str, Any, float]] = []

    def __call__(self, execute: Any, query: str, values: Any, many: bool, context: Any) -> Any:
        began = time.perf_counter()
        try:
            return execute(query, values, many, context)
        finally:
            self.caught.append((query, values, (time.perf_counter() - began) * 1000))


def look(question: Question, filled: Filled, runs: int) -> Seen:
    """Ask `runs` times. Raises `WholeTableRead`, `NotOneStatement`."""
    known, catcher, calls = _prepared(), _Catcher(), []
    with connection.execute_wrapper(catcher):
        for n in range(runs):
            began = time.perf_counter()
            answer = question.ask(filled, n)
            calls.append((time.perf_counter() - began) * 1000)
            if not answer:
                raise NotOneStatement(f"{question.name}: nothing was found")
    if len(catcher.caught) != runs:
        raise NotOneStatement(f"{question.name}: {len(catcher.caught)} statements by {runs} calls")
    made = {name: counts for name, counts in _prepared().items() if name not in known}
    if len(made) != 1:
        raise NotOneStatement(f"{question.name}: {len(made)} statements were prepared")
    ((name, (generic, _)),) = made.items()
    plan = _explain(name, catcher.caught[-1][1])
    if read := filled.sizes.keys() & set(_WHOLE_TABLE.findall("\n".join(plan))):
        raise WholeTableRead(f"{question.name} reads all of {', '.join(read)}:\n" + "\n".join(plan))
    return Seen(
        question=question,
        plan=plan,
        indexes=list(dict.fromkeys(_USED.findall("\n".join(plan)))),
        round_trip_ms=statistics.median(took_ms for *_, took_ms in catcher.caught),
        call_ms=statistics.median(calls),
        is_generic=generic > 0,
    )


def _prepared() -> dict[str, tuple[int, int]]:
    """What this connection has prepared: how often it was run with a plan for all values, and for its own."""
    rows = _run("SELECT name, generic_plans, custom_plans FROM pg_prepared_statements")
    return {name: (generic, custom) for name, generic, custom in rows}


def _explain(name: str, values: Sequence[Any]) -> list[str]:
    literals = sql.SQL(", ").join(map(sql.Literal, values))
    execute = sql.SQL("EXECUTE {}({})").format(sql.Identifier(name), literals)
    return [line for (line,) in _run(sql.SQL("EXPLAIN (ANALYZE, BUFFERS) {}").format(execute))]


def _run(query: Any) -> list[tuple[Any, ...]]:
    """Past Django, and never prepared itself."""
    connection.ensure_connection()
    rows: list[tuple[Any, ...]] = connection.connection.execute(query, prepare=False).fetchall()
    return rows
