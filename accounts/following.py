"""Follows the log of access changes: a thread a process, which keeps `accounts.directory` true.

1. Triggers write a row for every change that decides who may call (`accounts.triggers`).
2. Each process reads the new rows every `INTERVAL_S`, forgets what they name, and tells its listeners, which
   close sockets.
3. A transaction takes its row's id when it writes and shows it when it commits, perhaps after a later one.
   So rows are looked at again for `LOOKBACK_S`; forgetting twice does no harm. A look-up that read the old
   value just before the change and stored it just after is undone by the same repetition.

A thread of its own, with a connection of its own: revocation must not wait behind other work in a pool.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import Error as DatabaseFailure
from django.db import connection
from django.db.models.functions import Now

from accounts import directory
from accounts.models import AccessChange
from observability.outages import Outage

logger = logging.getLogger(__name__)

INTERVAL_S = 0.3
LOOKBACK_S = 4.0

Change = tuple[str, str]
Listener = Callable[[list[Change]], None]


class Follower:
    """Keeps one directory true until `stop`."""

    def __init__(self, followed: directory.Directory) -> None:
        self._directory = followed
        self._listeners: list[Listener] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._outage = Outage("the database (access changes)")
        self._looked_at: float | None = None

    def start(self) -> None:
        """Begin, in a thread; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="access-changes", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for the look that is under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def add_listener(self, listener: Listener) -> None:
        """Call `listener`, from the thread, with the changes of every look that found some."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call it no more."""
        self._listeners.remove(listener)

    def look(self) -> None:
        """Read the changes once and apply them. Raises Django's database errors."""
        started_at = time.monotonic()
        self._directory.looking(started_at)
        changes = _changes_of_last(LOOKBACK_S + started_at - (self._looked_at or started_at))
        for kind, subject in changes:
            self._directory.forget(kind, subject)
        if not self._directory.knows_tiers:
            self._directory.load_tiers()
        self._directory.followed(started_at)
        self._looked_at = started_at
        if changes:
            self._tell(changes)

    def _tell(self, changes: list[Change]) -> None:
        for listener in list(self._listeners):
            try:
                listener(changes)
            except Exception:
                # The others must hear of it, and the changes are in the directory already.
                logger.exception("a listener failed on access changes")

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
                self._outage.succeeded()
            except DatabaseFailure as error:
                self._directory.lost_sight()
                self._outage.failed(error)
                connection.close()
            except Exception:
                # This thread must outlive whatever is wrong: without it a revoked key would go on working.
                logger.exception("could not apply the access changes")
                self._directory.lost_sight()
            self._stopping.wait(INTERVAL_S)
        connection.close()


def _changes_of_last(seconds: float) -> list[Change]:
    """By the clock of the database, which has written the times as well."""
    recent = AccessChange.objects.filter(at__gte=Now() - timedelta(seconds=seconds))
    return list(recent.values_list("kind", "subject").distinct())


_follower = Follower(directory.current())


def current() -> Follower:
    """The follower of this process, started at its first use."""
    _follower.start()
    return _follower
