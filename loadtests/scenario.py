"""What a scenario is, for those that run it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from loadtests.options import Options
from loadtests.report import Target
from loadtests.site import Sites


@dataclass(frozen=True, slots=True)
class Result:
    """A section of the results, and what was to hold."""

    section: str
    targets: list[Target]


@dataclass(frozen=True, slots=True)
class Scenario:
    """`measure` brings up what it needs, and measures it."""

    name: str
    measure: Callable[[Sites, Options], Coroutine[Any, Any, Result]]
