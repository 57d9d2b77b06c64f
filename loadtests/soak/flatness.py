"""Is it flat: the line through what was sampled, and the bound that it must stay below. Pure.

A series passes unless it *surely* rises faster than its bound: the slope, less twice its error, is compared.
The first `SETTLING` of the samples is left out, in which caches, pools and threads come to their size. Memory
is judged by its lows: an allocator that collects garbage, as that of Go, climbs for minutes and falls again,
and what leaks is there after it has fallen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.side_by_side.figures import slope

SETTLING = 0.2
_FEWEST = 5
_LOWS = 12

Kind = Literal["memory", "files", "threads", "keys", "valkey memory", "rows", "messages"]

# An hour's growth that is let pass. Memory: a leak of 100 bytes a call would be 18 MB at 50 calls/s, and an
# allocator's own wandering is less than 30. Files and threads come and go by the dozen, and so do keys with a
# time to live; rows and messages that are deleted when they are done with must not grow at all.
BOUNDS: dict[Kind, float] = {
    "memory": 30.0,
    "files": 30.0,
    "threads": 6.0,
    "keys": 600.0,
    "valkey memory": 10.0,
    "rows": 60.0,
    "messages": 60.0,
}
UNITS: dict[Kind, str] = {"memory": "MB", "valkey memory": "MB"}


@dataclass(frozen=True, slots=True)
class Series:
    """Samples (seconds, value) of something; `kind` None: it grows by design."""

    name: str
    kind: Kind | None
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a series: growth an hour with its error, first and last value after settling."""

    series: Series
    first: float
    last: float
    per_hour: float
    error: float

    @property
    def bound(self) -> float:
        """An hour's growth that is let pass."""
        return math.inf if self.series.kind is None else BOUNDS[self.series.kind]

    @property
    def is_flat(self) -> bool:
        """False where it surely rises faster than the bound, and where too little was seen to say."""
        if self.series.kind is None:
            return True
        return self.per_hour - 2 * self.error <= self.bound


def look(series: Series) -> Verdict:
    """The verdict on `series`; ValueError with fewer than five samples after settling."""
    settled = series.points[int(len(series.points) * SETTLING) :]
    if len(settled) < _FEWEST:
        raise ValueError(f"{series.name}: {len(settled)} samples are too few for a line")
    rise, error = slope(_lows(settled) if series.kind == "memory" else settled)
    return Verdict(series, settled[0][1], settled[-1][1], 3600 * rise, 3600 * error)


def _lows(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lowest of each of `_LOWS` stretches of time."""
    length = max(1, len(points) // _LOWS)
    return [
        min(points[start : start + length], key=lambda one: one[1]) for start in range(0, len(points), length)
    ]
