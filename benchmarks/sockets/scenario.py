"""What a scenario is, for those that run it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from benchmarks.side_by_side.ground import Ground
from benchmarks.side_by_side.tables import Column, Row
from benchmarks.sockets.contenders import CONTENDERS, Contender
from benchmarks.sockets.options import Options

Measure = Callable[[Ground, Contender, Options], Coroutine[Any, Any, list[Row]]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`title` says what is measured at which size; `measure` does one round of one contender.

    `contenders` can be measured; `by_default` are, unless others are named.
    """

    name: str
    title: Callable[[Options], str]
    columns: tuple[Column, ...]
    measure: Measure
    contenders: tuple[str, ...] = tuple(CONTENDERS)
    by_default: tuple[str, ...] = tuple(CONTENDERS)
    rounds: int | None = None
