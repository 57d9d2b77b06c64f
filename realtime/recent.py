"""The updates that this process has heard of last, per symbol in order. Pure.

It answers three questions without I/O: is an update news, what came after a given one, and what is the newest
of a symbol. Bounded: the oldest goes first, and `complete_after` says from where on nothing is missing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum

from realtime.batches import Place, Update
from realtime.protocol.limits import MAX_RESUMED
from realtime.protocol.requests import Since

MOST_SYMBOLS = 100_000
_MOST_LOSSES = 32


class Arrival(Enum):
    """What an update is to those who follow its symbol."""

    NEXT = "it comes after all that was heard"
    LATE = "newer ones were heard before it, as several bridges may cause"
    KNOWN = "it was heard before, or is of an earlier life of the stream"


class Recent:
    """At most `capacity` updates of one life of the stream, and the newest of every symbol heard of."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._of: dict[str, deque[Update]] = {}
        self._arrived: deque[str] = deque()
        self._newest: dict[str, Update] = {}
        self._last: dict[str, int] = {}
        # Of those that are late: the last of their symbol when they came.
        self._late: dict[str, dict[int, int]] = {}
        # Of what was lost: after which seq, before which, and the last of all that was heard then.
        self._lost: deque[tuple[int, int, int]] = deque(maxlen=_MOST_LOSSES)
        self.epoch = ""
        # Every update of `epoch` with a greater seq, up to `last_seq`, is here.
        self.complete_after = 0
        self.last_seq = 0
        # Whether an update up to here was heard before is not known any more.
        self.known_until = 0
        self._is_broken = False
        # How often something was missing that could not be read.
        self.breaks = 0
        self.has_forgotten_symbols = False
        # Up to here something may be missing that could not be read.
        self._broken_until: Place = ("", 0)

    def __len__(self) -> int:
        return len(self._arrived)

    def add(self, update: Update, *, is_live: bool = True) -> Arrival:
        """Remember `update`, and say what it is; one that was read from a store does not end a break."""
        if update.epoch != self.epoch:
            if _life(update.epoch) < _life(self.epoch):
                return Arrival.KNOWN
            if self._was_broken:
                self._broken_until = max(self._broken_until, (update.epoch, max(1, update.seq - 1)))
            stays_broken = self._is_broken and not is_live
            self.begin(update.epoch, complete_after=max(update.seq - 1, self._broken_in(update.epoch)))
            self.known_until = 0  # other bridges may be behind this one
            self._is_broken = stays_broken
        elif self._is_broken and is_live and update.seq > self.last_seq:
            self.complete_after = max(update.seq - 1, self._broken_in(self.epoch))
            self._is_broken = False
        arrival = self._place(update)
        if arrival is not Arrival.KNOWN:
            self._remember(update)
        return arrival

    def begin(self, epoch: str, *, complete_after: int) -> None:
        """A life of the stream begins: what is known from here on is complete after `complete_after`."""
        self.epoch = epoch
        self.complete_after = complete_after
        self.last_seq = complete_after
        self.known_until = complete_after
        self._is_broken = False
        self._of.clear()
        self._arrived.clear()
        self._last.clear()
        self._late.clear()
        self._lost.clear()

    def break_off(self, until: Place | None = None, *, after: Place = ("", 0)) -> None:
        """Something after the place `after` is missing and could not be read; after `until` nothing is.

        Where nobody knows how far the hole goes, nothing is covered until the next update has come.
        """
        self.breaks += 1
        self._is_broken = self._is_broken or until is None
        # That is beyond the last of every symbol.
        self._broken_until = max(self._broken_until, until or (self.epoch, self.last_seq + 1))
        from_ = after[1] if after[0] == self.epoch else 0
        to = until[1] + 1 if until is not None and until[0] == self.epoch else self.last_seq
        if self.last_seq > from_:
            self._lost.append((from_, min(to, self.last_seq), self.last_seq))
        self.complete_after = max(self.complete_after, self._broken_in(self.epoch))

    @property
    def place(self) -> Place:
        """That of the newest update that was heard of."""
        return self.epoch, self.last_seq

    def last_of(self, symbol: str) -> int | None:
        """The seq of the newest update of `symbol`; None where none was heard of in this life."""
        return self._last.get(symbol)

    def covers(self, symbol: str, since: Since) -> bool:
        """True if everything of `symbol` after `since` is here, which may be nothing."""
        if (
            self._is_broken
            or self._broken_until[0] > self.epoch
            or not self.epoch
            or since.epoch != self.epoch
        ):
            return False
        seen = since.of(symbol)
        last = self._last.get(symbol, 0)
        return seen >= self.complete_after or (0 < last <= seen and not self._is_behind_break(symbol))

    def after(self, since: Since, symbols: Iterable[str], most: int = MAX_RESUMED) -> list[Update]:
        """What is here of `symbols` after `since`, in order; of another epoch, nothing.

        No more than one above `most` are looked at, and then they are not all, nor the first.
        """
        found: list[Update] = []
        for symbol in symbols if since.epoch == self.epoch else ():
            seen = since.of(symbol)
            for update in reversed(self._of.get(symbol, ())):
                if update.seq <= seen or len(found) > most:
                    break
                found.append(update)
        found.sort(key=lambda update: update.seq)
        return found

    def newest(self, symbol: str) -> Update | None:
        """The newest value of `symbol` that was heard of."""
        return self._newest.get(symbol)

    def may_have_moved(self, symbol: str) -> bool:
        """True if there may be a newer value than `newest`: none is known, or none since a break."""
        return symbol not in self._newest or self._is_behind_break(symbol)

    def missed_before(self, update: Update, *, is_live: bool = True) -> int | None:
        """The seq after which something before `update`, which is not here yet, may have been missed."""
        if update.epoch != self.epoch:
            return 0 if self._was_broken or not is_live else None
        is_behind = not is_live or self._is_behind_break(update.symbol)
        return self._last.get(update.symbol, 0) if is_behind else None

    def last_update(self, symbol: str) -> Update | None:
        """The last update of `symbol` that is here."""
        held = self._of.get(symbol)
        return held[-1] if held else None

    def neighbours(self, update: Update) -> tuple[int, int]:
        """The seqs before and after `update` of its symbol; 0 and its own where there is none."""
        before, after = 0, update.seq
        for other in self._of.get(update.symbol, ()):
            if other.seq < update.seq:
                before = other.seq
            elif other.seq > update.seq:
                after = other.seq
                break
        return before, after

    def late_around(self, symbol: str, seen: int) -> tuple[int, int] | None:
        """The seqs around what came late of `symbol`, or was lost, behind `seen` and after it was told.

        Who was told `seen` and left cannot have been told of that. None where there is nothing.
        """
        around = [(from_, min(to, seen)) for from_, to, last in self._lost if from_ + 1 < seen <= last]
        late = [seq for seq, heard in self._late.get(symbol, {}).items() if seq < seen <= heard]
        if late:
            held = [update.seq for update in self._of[symbol]]
            before = max((seq for seq in held if seq < min(late)), default=0)
            around.append((before, min(seq for seq in (*held, self._last[symbol]) if seq > max(late))))
        if not around:
            return None
        return min(from_ for from_, _ in around), max(to for _, to in around)

    @property
    def _was_broken(self) -> bool:
        """True if something was missing in this life, or may be in one that comes after it."""
        return self._is_broken or self._broken_until >= (self.epoch, 1)

    def _is_behind_break(self, symbol: str) -> bool:
        return (self.epoch, self._last.get(symbol, 0)) < self._broken_until

    def _broken_in(self, epoch: str) -> int:
        return self._broken_until[1] if self._broken_until[0] == epoch else 0

    def _place(self, update: Update) -> Arrival:
        """Put `update` into its place among those of its symbol."""
        if update.seq > self._last.get(update.symbol, 0):
            self._last[update.symbol] = update.seq
            self._of.setdefault(update.symbol, deque()).append(update)
            return Arrival.NEXT
        if update.seq <= self.known_until:
            return Arrival.KNOWN
        held = self._of.setdefault(update.symbol, deque())
        index = len(held)
        while index and held[index - 1].seq > update.seq:
            index -= 1
        if index and held[index - 1].seq == update.seq:
            return Arrival.KNOWN
        held.insert(index, update)
        self._late.setdefault(update.symbol, {})[update.seq] = self._last[update.symbol]
        return Arrival.LATE

    def _remember(self, update: Update) -> None:
        self.last_seq = max(self.last_seq, update.seq)
        known = self._newest.get(update.symbol)
        if known is None or known.order <= update.order:
            self._newest.pop(update.symbol, None)
            self._newest[update.symbol] = update
            if len(self._newest) > MOST_SYMBOLS:
                silent = next(iter(self._newest))
                del self._newest[silent]
                self.has_forgotten_symbols = True
                if silent not in self._of:
                    self._last.pop(silent, None)
        self._arrived.append(update.symbol)
        if len(self._arrived) > self._capacity:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        symbol = self._arrived.popleft()
        held = self._of[symbol]
        forgotten = held.popleft().seq
        self.known_until = max(self.known_until, forgotten)
        if symbol in self._late:
            self._late[symbol].pop(forgotten, None)
        self.complete_after = max(self.complete_after, self.known_until)
        if not held:
            del self._of[symbol]
            self._late.pop(symbol, None)
            if symbol not in self._newest:
                self._last.pop(symbol, None)


def _life(epoch: str) -> int:
    """Lives of a stream in their order: an epoch is the time of creation in hexadecimal milliseconds."""
    try:
        return int(epoch or "0", 16)
    except ValueError:
        return 0
