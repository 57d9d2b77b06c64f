"""How long updates take from the pipeline's publish to a socket, as a histogram. Pure."""

from __future__ import annotations

from bisect import bisect_left

BOUNDS_MS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1_000, 2_000, 5_000, 10_000)


class Lag:
    """Counts by bucket; the last bucket has no upper bound. Weighted: one update goes to many sockets."""

    __slots__ = ("count", "counts", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.count = 0
        self.sum_us = 0

    def observe(self, lag_us: int, sockets: int) -> None:
        """`sockets` have got an update that was published `lag_us` microseconds ago."""
        if sockets:
            self.counts[bisect_left(BOUNDS_MS, lag_us / 1000)] += sockets
            self.count += sockets
            self.sum_us += lag_us * sockets

    def quantile_ms(self, share: float) -> int | None:
        """The upper bound of the bucket that `share` of all deliveries do not exceed; None without any.

        The last bucket has no bound: 10 s stands for "10 s or more".
        """
        seen = 0
        for bound, count in zip((*BOUNDS_MS, BOUNDS_MS[-1]), self.counts, strict=True):
            seen += count
            if count and seen >= share * self.count:
                return bound
        return None
