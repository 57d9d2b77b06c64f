"""Connections to Postgres for Django's pool, without what costs a small request a fifth of its time."""

from __future__ import annotations

import contextlib
import re
import select
import time
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

import psycopg
from django.db.backends.postgresql.psycopg_any import BaseTzLoader
from psycopg.waiting import READY_NONE, READY_R

_UTC = b"+00"
# A server that is there has cancelled its statement by then, and said so.
_GRACE_S = 2.0
_STATEMENT_TIMEOUT = re.compile(r"statement_timeout=(\d+)")


class TimeLoader(BaseTzLoader):  # type: ignore[misc] # untyped
    """Times in UTC, as Django sets the zone of every connection. Django's own takes several times as long."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        """The moment in the server's text. Raises psycopg's `DataError` for what Python has no time for."""
        text = bytes(data)
        if text.endswith(_UTC):
            with contextlib.suppress(ValueError):
                return datetime.fromisoformat(text.decode())
        moment: datetime = super().load(data)
        return moment


class PooledConnection(psycopg.Connection[Any]):
    """Found alive or dead without asking the server, and quick to read times.

    The pool sends an empty statement before it hands a connection out. But the system knows of a connection
    that has died with its server: it was closed. One that is idle and silent is alive as far as anybody can
    know without a round trip, and what goes wrong after this look would go wrong after that statement, too.

    Nor does it wait for ever where a router between it and the server takes every byte and forgets it, which
    no keep-alive of the system notices: the server ends statements after their time-out, so one that says
    nothing for longer is out of reach. The connection is closed then, and so is every other one of the
    process that was not heard since, also while somebody waits for its answer.
    """

    _silence_at: ClassVar[float] = float("-inf")

    patience_s: float | None = None
    """How long an answer may take; None: as long as it likes, for whoever lifts the statements' time-out."""

    _heard_at = float("-inf")

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Self:
        """As psycopg's."""
        made = super().connect(conninfo, **options)
        made.adapters.register_loader("timestamptz", TimeLoader)
        made.patience_s = _patience_s(options.get("options", ""))
        made._heard_at = time.monotonic()
        return made

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's; raises `psycopg.OperationalError` where the server says nothing."""
        within_s = self.patience_s if timeout is None else timeout
        began = time.monotonic()
        try:
            return super().wait(self._doubting(gen), interval, within_s)
        except psycopg.errors._WaitTimeout:
            if timeout is not None:
                raise
            if self._heard_at <= began:  # else it is only slow, or its answer large
                PooledConnection._silence_at = max(PooledConnection._silence_at, began)
            raise self._given_up() from None

    def _doubting(self, gen: Any) -> Generator[Any, Any, Any]:
        """`gen`, which ends, too, where others have found out that the server is out of reach.

        One that asks the server nothing hears nothing: to begin a transaction is only noted.
        """
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready & READY_R:
                    self._heard_at = time.monotonic()
                elif ready == READY_NONE and self._heard_at <= PooledConnection._silence_at:
                    raise self._given_up()
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value

    def _given_up(self) -> psycopg.OperationalError:
        self.pgconn.finish()
        return psycopg.OperationalError("the server has not answered for longer than a statement may take")

    def execute(self, query: Any, *args: Any, **options: Any) -> psycopg.Cursor[Any]:
        """As psycopg's, but nothing is sent for an empty statement while the server is silent."""
        if query == "" and self._heard_at <= PooledConnection._silence_at:
            self.close()
        elif query == "" and self._is_silent():
            return self.cursor()
        return super().execute(query, *args, **options)

    def _is_silent(self) -> bool:
        heard = select.poll()
        heard.register(self.fileno(), select.POLLIN)
        return not heard.poll(0)


def _patience_s(options: str) -> float | None:
    """How long an answer may take, by the statements' time-out in `options`; the last one there holds."""
    found = _STATEMENT_TIMEOUT.findall(options)
    return int(found[-1]) / 1000 + _GRACE_S if found and int(found[-1]) else None
