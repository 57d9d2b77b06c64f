"""What an audience has received: how late, and whether anything is missing or came twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.side_by_side.figures import Delays

_MOST_NOTICES = 20


class Tally:
    """Counts the deliveries of one phase.

    Updates are numbered without a hole over all symbols, symbol after symbol: those of one symbol are
    `symbols` apart. So what a socket misses shows in the numbers it gets. What was sent before `begun_ns` and
    comes late is of no phase: it must not stand for an update of this one that is missing.
    """

    def __init__(self, sent_ns: memoryview[int], symbols: int, begun_ns: int) -> None:
        self._sent_ns = sent_ns
        self._symbols = symbols
        self._begun_ns = begun_ns
        self.delays = Delays()
        self.delivered = 0
        self.frames = 0
        self.repeated = 0
        self.skipped = 0
        # Sockets that were closed by the server, by code, and whatever else was said.
        self.closed: dict[int, int] = {}
        self.notices: list[str] = []

    def take(self, newest: dict[int, int], seq: int, now_ns: int) -> None:
        """Count update `seq` on a socket whose newest by symbol is `newest`, which is brought up to date."""
        place = seq % self._symbols
        before = newest.get(place)
        if before is not None and seq <= before:
            self.repeated += 1
            return
        newest[place] = seq
        if self._sent_ns[seq] < self._begun_ns:
            return
        if before is not None:
            self.skipped += (seq - before) // self._symbols - 1
        self.delivered += 1
        self.delays.note(now_ns - self._sent_ns[seq])

    def notice(self, text: str) -> None:
        """Keep what a person should read."""
        if len(self.notices) < _MOST_NOTICES:
            self.notices.append(text[:200])

    def note_closed(self, code: int) -> None:
        """A socket was closed that should have stayed."""
        self.closed[code] = self.closed.get(code, 0) + 1


def count_expected(first: int, last: int, places: Iterable[int], symbols: int) -> int:
    """How many deliveries the updates `first` to `last` make, to sockets of one symbol each at `places`."""
    in_range = [(last - place) // symbols - (first - 1 - place) // symbols for place in range(symbols)]
    return sum(in_range[place] for place in places)
