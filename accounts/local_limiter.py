"""The limits counted in the memory of one process: while Redis is away, and for what only this process needs.

Keeps the rules of the script in `accounts.limiter`; a test sends the same calls through both. Bounded: the
counter that was used longest ago makes room. Pure but for a lock; the clock comes in as an argument.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.limits import Decision, LimitRule, Standing, Subject, counter_key

_MOST_COUNTERS = 100_000


@dataclass(slots=True)
class _Counter:
    """Of a window: calls counted and its end. Of a bucket: both are when it is full again."""

    used: float
    ends_s: float


class LocalLimiter:
    """Counters of one process. Safe to share between threads."""

    def __init__(self, most: int = _MOST_COUNTERS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._counters: OrderedDict[str, _Counter] = OrderedDict()

    def take(self, rules: Sequence[LimitRule], subject: Subject, *, now_s: float, cost: int = 1) -> Decision:
        """Check every rule, and take `cost` from all of them if none refuses."""
        with self._lock:
            keys = [counter_key(rule, subject) for rule in rules]
            counters = [self._find(key, now_s) for key in keys]
            waits = [
                _wait_s(rule, counter, now_s, cost) for rule, counter in zip(rules, counters, strict=True)
            ]
            admitted = not any(waits)
            standings = []
            for rule, key, found, wait_s in zip(rules, keys, counters, waits, strict=True):
                charged = admitted and cost > 0
                counter = self._charge(rule, key, found, now_s, cost) if charged else found
                standings.append(_standing(rule, key, counter, now_s, wait_s))
            return Decision(admitted, tuple(standings), "local")

    def refund(self, decision: Decision, cost: int, *, now_s: float) -> None:
        """Give back what `decision` has taken, but for what has come back by itself meanwhile."""
        with self._lock:
            for standing in decision.standings:
                counter = self._counters.get(standing.key)
                if counter is None:
                    continue
                if standing.rule.burst is not None:
                    taken_s = cost * standing.rule.window_s / standing.rule.quota
                    counter.used -= max(0.0, min(taken_s, standing.mark / 1000 - now_s))
                    counter.ends_s = counter.used
                elif _mark(counter.ends_s) == standing.mark:
                    counter.used = max(0.0, counter.used - cost)

    def _find(self, key: str, now_s: float) -> _Counter | None:
        counter = self._counters.get(key)
        if counter is None:
            return None
        if counter.ends_s <= now_s:
            del self._counters[key]
            return None
        self._counters.move_to_end(key)
        return counter

    def _charge(
        self, rule: LimitRule, key: str, counter: _Counter | None, now_s: float, cost: int
    ) -> _Counter:
        if counter is None:
            if len(self._counters) >= self._most:
                self._counters.popitem(last=False)
            begun = _Counter(0.0, now_s + rule.window_s) if rule.burst is None else _Counter(now_s, now_s)
            counter = self._counters[key] = begun
        if rule.burst is None:
            counter.used += cost
        else:
            counter.used += cost * rule.window_s / rule.quota
            counter.ends_s = counter.used
        return counter


def _wait_s(rule: LimitRule, counter: _Counter | None, now_s: float, cost: int) -> float:
    """How long the call would have to wait; 0 if it may go on."""
    if not cost:
        return 0.0
    if rule.burst is None:
        used, ends_s = (counter.used, counter.ends_s) if counter else (0.0, now_s + rule.window_s)
        return ends_s - now_s if used + cost > rule.quota else 0.0
    interval_s = rule.window_s / rule.quota
    wait_s = (counter.used if counter else now_s) + (cost - rule.burst) * interval_s - now_s
    return 0.0 if wait_s < _slack_s(interval_s) else wait_s


def _standing(rule: LimitRule, key: str, counter: _Counter | None, now_s: float, wait_s: float) -> Standing:
    if rule.burst is None:
        used, ends_s = (counter.used, counter.ends_s) if counter else (0.0, now_s + rule.window_s)
        remaining = max(0, rule.quota - int(used))
        return Standing(rule, key, remaining, ends_s - now_s, _mark(ends_s), wait_s)
    mark = _mark(counter.used) if counter else 0
    until_full_s = max(0.0, counter.used - now_s) if counter else 0.0
    interval_s = rule.window_s / rule.quota
    remaining = max(0, int(rule.burst - (until_full_s - _slack_s(interval_s)) / interval_s))
    return Standing(rule, key, remaining, until_full_s, mark, wait_s)


def _slack_s(interval_s: float) -> float:
    """Sums of fractions are off by a little; nobody is refused for that."""
    return min(1e-4, interval_s / 2)


def _mark(ends_s: float) -> int:
    return round(ends_s * 1000)
