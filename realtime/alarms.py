"""One timer of the event loop for all sockets: a task or a timer for each would cost more than the socket."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from typing import Protocol

logger = logging.getLogger(__name__)

NEVER = float("inf")
_TICK_S = 0.002
# So much at a time: what comes in must not wait for all that goes out, or those in mode `latest` would get
# what was the newest long ago.
_SLICE_S = 0.004


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
        self._timer: asyncio.Handle | None = None
        self._rings_at = NEVER

    def now(self) -> float:
        """The time of the event loop, in seconds."""
        return self._loop.time()

    def set(self, sleeper: Sleeper, at: float) -> None:
        """Wake `sleeper` at `at`, if it is not to be woken before."""
        if at >= sleeper.wakes_at:
            return
        sleeper.wakes_at = at
        heapq.heappush(self._heap, (at, next(self._count), sleeper))
        if at < self._rings_at:
            self._set_timer(at)

    def stop(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._heap.clear()

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        # What is due at nearly the same time shares a tick.
        self._timer = self._loop.call_at(at + _TICK_S, self._ring)

    def _wake(self, sleeper: Sleeper, now: float) -> None:
        try:
            sleeper.wake(now)
        except Exception:
            # One socket must not keep all the others asleep.
            logger.exception("a socket could not be woken")

    def _ring(self) -> None:
        self._timer, self._rings_at = None, NEVER
        now, ends_at = self._loop.time(), time.perf_counter() + _SLICE_S
        while self._heap and self._heap[0][0] <= now and time.perf_counter() < ends_at:
            at, _, sleeper = heapq.heappop(self._heap)
            if at == sleeper.wakes_at:  # else it was woken earlier, for another reason
                sleeper.wakes_at = NEVER
                self._wake(sleeper, now)
        if self._heap and self._heap[0][0] < self._rings_at:
            self._set_timer(self._heap[0][0])
