"""So many in a second, with a burst of as many: a token bucket in one number. Pure."""

from __future__ import annotations


class Pace:
    """`per_s` in a second; at most `per_s` at once."""

    __slots__ = ("_burst_s", "_interval_s", "next_free")

    def __init__(self, per_s: int) -> None:
        self._interval_s = 1 / per_s
        # A microsecond more: a sum of floats must not cost the last of a burst.
        self._burst_s = 1 + 1e-6 - self._interval_s
        # From then on one more may go.
        self.next_free = 0.0

    def spend(self, now: float) -> None:
        """One has gone at `now`."""
        self.next_free = max(self.next_free, now - self._burst_s) + self._interval_s

    def lasts_s(self, count: int) -> float:
        """How long `count` take in the long run."""
        return count * self._interval_s

    def take(self, now: float) -> bool:
        """Spend one, if one may go at `now`."""
        if now < self.next_free:
            return False
        self.spend(now)
        return True
