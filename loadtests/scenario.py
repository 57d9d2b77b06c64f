"""What a scenario is, for those that run it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from benchmarks.side_by_side.ground import Ground
from loadtests.options import Options
from loadtests.report import Target

# A ground of its own each time: what one measurement leaves in the stores must not weigh on the next.
Stand = Callable[[], AbstractContextManager[Ground]]


@dataclass(frozen=True, slots=True)
class Result:
    """A section of the results, and what was to hold."""

    section: str
    targets: list[Target]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`measure` brings up what it needs, and measures it."""

    name: str
    measure: Callable[[Stand, Options], Coroutine[Any, Any, Result]]
