"""Who follows one symbol in this process, by the terms on which they do."""

from __future__ import annotations

from realtime import wire
from realtime.batches import Update
from realtime.connection import Connection
from realtime.protocol.messages import Gap
from realtime.terms import PLAIN, Terms


class Audience:
    """The followers of a symbol.

    Nearly all are `plain`: they get every update, in the same bytes. Those in mode `latest` are `armed` until
    the next update marks them, and again when their interval has ended: an update costs them nothing between.
    """

    __slots__ = ("armed", "last", "plain", "size", "special")

    def __init__(self) -> None:
        self.plain: set[Connection] = set()
        self.special: dict[Connection, Terms] = {}
        self.armed: set[Connection] = set()
        self.last: Update | None = None
        self.size = 0

    def add(self, connection: Connection, terms: Terms) -> None:
        """`connection` follows the symbol on these terms; it must not follow it already."""
        self.size += 1
        if terms is PLAIN:
            self.plain.add(connection)
        elif terms.mode == "latest" and not terms.filters:
            self.armed.add(connection)
        else:
            self.special[connection] = terms

    def remove(self, connection: Connection) -> None:
        """It does no more."""
        self.size -= 1
        self.plain.discard(connection)
        self.armed.discard(connection)
        self.special.pop(connection, None)

    def tell(self, update: Update, now: float) -> int:
        """Tell everyone of the update; returns to how many it was written at once."""
        self.last = update
        written = 0
        if self.plain:
            framed = wire.frame(update.frame)
            for connection in self.plain:
                written += connection.deliver(update, framed, now)
        for connection, terms in self.special.items():
            if terms.passes(update):
                connection.offer(update, terms, now)
        if self.armed:
            armed, self.armed = self.armed, set()
            for connection in armed:
                if not connection.mark(update, self, now):
                    self.armed.add(connection)
        return written

    def tell_gap(self, gap: Gap, now: float) -> None:
        """Tell those who get every update that some are missing."""
        for connection in (*self.plain, *self.special):
            connection.gap(gap, now)

    def tell_late(self, update: Update, gap: Gap, heard: int, now: float) -> None:
        """Tell them of an update that came behind a newer one: `heard` was the last then."""
        for connection in (*self.plain, *self.special):
            connection.late(update, gap, heard, now)

    def take_last(self, taker: Connection) -> Update | None:
        """The last update, for a connection whose interval has ended."""
        self.armed.add(taker)
        return self.last
