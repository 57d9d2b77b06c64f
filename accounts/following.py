"""Follows the log of access changes: a thread a process, which keeps `accounts.directory` true.

1. Triggers write a row for every change that decides who may call (`accounts.triggers`).
2. Each process reads the new rows every `INTERVAL_S`, forgets what they name, and tells its listeners, which
   close sockets.
3. A transaction writes its row when it commits and shows it a moment later, perhaps after a later one.
   So rows are looked at again for `LOOKBACK_S`; forgetting twice does no harm. A look-up that read the old
   value just before the change and stored it just after is undone by the same repetition.

A thread of its own, with a connection of its own: revocation must not wait behind other work in a pool.
"""

from __future__ import annotations

import logging
import math
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
RETELL_AFTER_S = 2.0

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
        self._told: dict[int, float] = {}

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
        """Call `listener`, from the thread, with changes: once at their first sight and once again later."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Call it no more."""
        self._listeners.remove(listener)

    def look(self) -> None:
        """Read the changes once and apply them. Raises Django's database errors."""
        started_at = time.monotonic()
        self._directory.looking(started_at)
        noted = _noted_in_last(LOOKBACK_S + started_at - (self._looked_at or started_at))
        # Whatever tier has changed, all are loaded: once a look is enough.
        for kind, subject in {(k, "" if k == "tier" else s) for k, s in noted.values()}:
            self._directory.forget(kind, subject)
        if not self._directory.knows_tiers:
            self._directory.load_tiers()
        self._directory.followed(started_at)
        self._looked_at = started_at
        if changes := self._choose_to_tell(noted, started_at):
            self._tell(changes)

    def _choose_to_tell(self, noted: dict[int, Change], now_s: float) -> list[Change]:
        """New changes, and those told `RETELL_AFTER_S` ago: somebody may have been judged by the old."""
        due, told = set(), {}
        for id_, change in noted.items():
            told_s = self._told.get(id_)
            if told_s is None:
                due.add(change)
                told[id_] = now_s
            elif now_s - told_s >= RETELL_AFTER_S:
                due.add(change)
                told[id_] = math.inf  # that was the last time
            else:
                told[id_] = told_s
        self._told = told
        return sorted(due)

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


def _noted_in_last(seconds: float) -> dict[int, Change]:
    """Changes by the id of their note; by the clock of the database, which has written the times as well."""
    recent = AccessChange.objects.filter(at__gte=Now() - timedelta(seconds=seconds))
    return {id_: (kind, subject) for id_, kind, subject in recent.values_list("id", "kind", "subject")}


_follower = Follower(directory.current())


def current() -> Follower:
    """The follower of this process, started at its first use."""
    _follower.start()
    return _follower
