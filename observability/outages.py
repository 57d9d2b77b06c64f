"""One log line when a dependency goes away and one when it is back, however many calls fail between.

An `Outage` also says whether a call is worth trying: after a failure it lets one probe through per
`retry_after_s`, so that a dead dependency does not cost every request its time-out.
"""

from __future__ import annotations

import logging
import threading
import time

logger = logging.getLogger(__name__)


class Outage:
    """The state of one dependency as this process sees it. Safe to share between threads."""

    def __init__(self, name: str, *, retry_after_s: float = 0.5) -> None:
        self._name = name
        self._retry_after_s = retry_after_s
        self._lock = threading.Lock()
        self._since: float | None = None
        self._next_probe = 0.0
        self._failures = 0

    @property
    def ongoing(self) -> bool:
        """True between the first failure and the next success."""
        return self._since is not None

    def worth_trying(self, now: float | None = None) -> bool:
        """True when the dependency is believed up, or when it is this call's turn to probe it."""
        if not self.ongoing:
            return True
        now = time.monotonic() if now is None else now
        with self._lock:
            if now < self._next_probe:
                return False
            self._next_probe = now + self._retry_after_s
            return True

    def failed(self, error: BaseException, now: float | None = None) -> None:
        """Record a failed call; the first of an outage is logged."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._failures += 1
            self._next_probe = now + self._retry_after_s
            if self._since is not None:
                return
            self._since = now
        logger.error("%s is unavailable: %s: %s", self._name, type(error).__name__, error)

    def succeeded(self, now: float | None = None) -> None:
        """Record a successful call; the first after an outage is logged with its length."""
        if not self.ongoing:
            return
        now = time.monotonic() if now is None else now
        with self._lock:
            if self._since is None:
                return
            lasted_s, failures = now - self._since, self._failures
            self._since, self._failures = None, 0
        logger.warning("%s is back after %.1f s and %d failed calls", self._name, lasted_s, failures)
