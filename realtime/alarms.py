"""One timer of the event loop for all sockets: a task or a timer for each would cost more than the socket."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import Protocol

NEVER = float("inf")
_TICK_S = 0.002


class Sleeper(Protocol):
    """Something that is to be woken at `wakes_at`, in the time of the event loop."""

    wakes_at: float

    def wake(self, now: float) -> None:
        """It is time."""


class Alarms:
    """The sleepers of one event loop, the earliest first."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, Sleeper]] = []
        self._count = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The time of the event loop, in seconds."""
        return self._loop.time()

    def set(self, sleeper: Sleeper, at: float) -> None:
        """Wake `sleeper` at `at`, if it is not to be woken before."""
        if at >= sleeper.wakes_at:
            return
        sleeper.wakes_at = at
        heapq.heappush(self._heap, (at, next(self._count), sleeper))
        if self._timer is None or at < self._timer.when():
            self._set_timer(at)

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._heap.clear()

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # What is due at nearly the same time shares a tick.
        self._timer = self._loop.call_at(at + _TICK_S, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            at, _, sleeper = heapq.heappop(self._heap)
            if at == sleeper.wakes_at:  # else it was woken earlier, for another reason
                sleeper.wakes_at = NEVER
                sleeper.wake(now)
        if self._heap and self._timer is None:
            self._set_timer(self._heap[0][0])
