"""How long updates take from the pipeline's publish to a socket, as a histogram. Pure."""

from __future__ import annotations

from bisect import bisect_left

from observability.metrics import SEND_LAGS_MS

BOUNDS_MS = SEND_LAGS_MS


class Lag:
    """Counts by bucket; the last bucket has no upper bound. Weighted: one update goes to many sockets.

    What waits because its subscriber asked for an interval, or was missed, does not count. `turn` is called
    once a period: quantiles are those of this period and the last.
    """

    __slots__ = ("_before", "_turned", "count", "counts", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.count = 0
        self.sum_us = 0
        self._before = self._turned = [0] * len(self.counts)

    def observe(self, lag_us: int, sockets: int) -> None:
        """`sockets` have got an update that was published `lag_us` microseconds ago."""
        if sockets:
            self.counts[bisect_left(BOUNDS_MS, lag_us / 1000)] += sockets
            self.count += sockets
            self.sum_us += lag_us * sockets

    def turn(self) -> None:
        """A period begins."""
        self._before, self._turned = self._turned, list(self.counts)

    def quantile_ms(self, share: float) -> int | None:
        """The upper bound of the bucket that `share` of the deliveries do not exceed; None without any.

        The last bucket has no bound: 10 s stands for "10 s or more".
        """
        recent = [now - then for now, then in zip(self.counts, self._before, strict=True)]
        seen, total = 0, sum(recent)
        for bound, count in zip((*BOUNDS_MS, BOUNDS_MS[-1]), recent, strict=True):
            seen += count
            if count and seen >= share * total:
                return bound
        return None
