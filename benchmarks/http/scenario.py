"""What a scenario is, for those that run it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from benchmarks.http.contenders import CONTENDERS, Contender
from benchmarks.http.options import Options
from benchmarks.http.ratios import Ratio
from benchmarks.http.stage import Needs, Stage
from benchmarks.side_by_side.tables import CLIENT_CPU, OTHERS_CPU, SERVER_CPU, Column, Row

Measure = Callable[[Stage, Contender, Options], Coroutine[Any, Any, list[Row]]]

LOAD_COLUMNS = (
    Column("rps", "requests/s", 0),
    Column("p50", "p50 ms", 2),
    Column("p99", "p99 ms", 2),
    Column("cpu_us", "server CPU µs a request"),
    SERVER_CPU,
    Column("valkey_cpu", "Valkey CPU %", 0),
    CLIENT_CPU,
    OTHERS_CPU,
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """`title` says what is measured at which size; `measure` does one round of one contender.

    `contenders` can be measured; `by_default` are, unless others are named.
    """

    name: str
    title: Callable[[Options], str]
    measure: Measure
    columns: tuple[Column, ...] = LOAD_COLUMNS
    needs: Callable[[Options], Needs] = lambda options: Needs(symbols=options.symbols)
    ratios: tuple[Ratio, ...] = ()
    contenders: tuple[str, ...] = tuple(CONTENDERS)
    by_default: tuple[str, ...] = tuple(CONTENDERS)
