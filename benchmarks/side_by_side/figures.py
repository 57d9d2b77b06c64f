"""What becomes of measured values: distributions of delays, spreads over rounds, a slope. Pure."""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

_BIN_NS = 10_000
_BINS = 1_000_000


class Delays:
    """Counts delays in bins of 10 µs up to 10 s, however many come; longer ones share a bin."""

    def __init__(self) -> None:
        self._bins = array("I", bytes(4 * (_BINS + 1)))
        self.count = 0
        self.longest_ns = 0

    def note(self, delay_ns: int) -> None:
        """Count one."""
        # Half a million times a second: no calls where a comparison does.
        try:
            self._bins[delay_ns // _BIN_NS] += 1
        except IndexError:
            self._bins[_BINS] += 1
        self.count += 1
        if delay_ns > self.longest_ns:  # noqa: PLR1730
            self.longest_ns = delay_ns

    def share_ms(self, share: float) -> float:
        """Milliseconds within which `share` of the delays lie (upper edge of the bin); NaN without any."""
        wanted = max(1, math.ceil(share * self.count))
        for place in range(min(self.longest_ns // _BIN_NS + 1, _BINS)):
            wanted -= self._bins[place]
            if wanted <= 0:
                return min((place + 1) * _BIN_NS, self.longest_ns) / 1e6
        return self.longest_ms

    @property
    def longest_ms(self) -> float:
        """Milliseconds of the longest; NaN without any."""
        return self.longest_ns / 1e6 if self.count else math.nan


@dataclass(frozen=True, slots=True)
class Spread:
    """Least, median and most of what was measured several times."""

    least: float
    median: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of `values`, of which there must be one at least."""
    return Spread(min(values), statistics.median(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of `values` lie; NaN without any."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else math.nan


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope of the least-squares line through `points`, and its standard error (NaN below 3 points)."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    wide = sum((x - middle_x) ** 2 for x, _ in points)
    if not wide:
        return math.nan, math.nan
    rise = sum((x - middle_x) * (y - middle_y) for x, y in points) / wide
    if count < 3:
        return rise, math.nan
    off = sum((y - middle_y - rise * (x - middle_x)) ** 2 for x, y in points)
    return rise, math.sqrt(off / (count - 2) / wide)
