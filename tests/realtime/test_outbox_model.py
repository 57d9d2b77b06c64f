"""An outbox beside plain lists that say what it must hold, whatever is put, owed, taken, forgotten."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from realtime.batches import Update
from realtime.outbox import Item, Lane, Outbox, Snapshot
from realtime.protocol.messages import Gap
from tests.examples import examples
from tests.realtime.peers import EPOCH, update

SYMBOLS = st.sampled_from(["A", "B", "C"])
KINDS = st.sampled_from(["update", "update", "snapshot", "gap"])
COUNTS = st.integers(min_value=0, max_value=4)


def newest_of_each(items: list[Item]) -> list[Item]:
    """The last update of each symbol, in order."""
    last = {item.symbol: place for place, item in enumerate(items) if not isinstance(item, Gap)}
    return [items[place] for place in sorted(last.values())]


class OutboxModel(RuleBasedStateMachine):
    """What waits in order, what is owed of it, and what waits for an interval."""

    def __init__(self) -> None:
        super().__init__()
        self.seq = 0
        self.owed: list[Item] = []
        self.live: list[Item] = []
        self.batched: list[Item] = []
        self.marked: dict[str, Update] = {}
        self.control: list[bytes] = []
        self.intervals = 1.0
        self.put = self.gone = self.dropped = self.told = 0

    @initialize(capacity=st.integers(min_value=1, max_value=4))
    def make(self, capacity: int) -> None:
        """Start with an empty one."""
        self.capacity = capacity
        self.outbox = Outbox(capacity)

    @property
    def lane(self) -> Lane:
        """That of the batches."""
        return self.outbox.lane("batch", 1.0)

    @property
    def latest(self) -> Lane:
        """That of the newest values."""
        return self.outbox.lane("latest", 1.0)

    def make_item(self, kind: str, symbol: str) -> Item:
        """A new item."""
        self.seq += 1
        self.put += 1
        made = update(self.seq, symbol)
        if kind == "gap":
            return Gap(symbol, 0, self.seq, EPOCH)
        return Snapshot(made) if kind == "snapshot" else made

    def without(self, items: list[Item], symbol: str) -> list[Item]:
        """Take those of the symbol away, and return them."""
        taken = [item for item in items if item.symbol == symbol]
        items[:] = [item for item in items if item.symbol != symbol]
        return taken

    def drop(self, items: list[Item], most: int) -> None:
        """The oldest beyond `most` go."""
        surplus = max(0, len(items) - most)
        del items[:surplus]
        self.dropped += surplus

    @rule(kind=KINDS, symbol=SYMBOLS)
    def put_one(self, kind: str, symbol: str) -> None:
        """Queue one that is live."""
        item = self.make_item(kind, symbol)
        self.outbox.put(item)
        self.live.append(item)
        self.drop(self.live, self.capacity)

    @rule(kind=KINDS, symbol=SYMBOLS, count=COUNTS)
    def owe(self, kind: str, symbol: str, count: int) -> None:
        """Queue what is owed."""
        items = [self.make_item(kind, symbol) for _ in range(count)]
        self.outbox.owe(items)
        self.owed += items
        self.drop(self.owed, 2 * self.capacity)

    @rule(kind=st.sampled_from(["update", "gap"]), symbol=SYMBOLS)
    def put_batched(self, kind: str, symbol: str) -> None:
        """Queue one for the next batch."""
        item = self.make_item(kind, symbol)
        assert not isinstance(item, Snapshot)
        self.outbox.put_batched(self.lane, item)
        self.batched.append(item)
        self.drop(self.batched, self.capacity)

    @rule(symbol=SYMBOLS)
    def mark(self, symbol: str) -> None:
        """The newest of a symbol is to be sent at the interval's end."""
        self.seq += 1
        self.marked[symbol] = self.latest.marked[symbol] = update(self.seq, symbol)

    @rule()
    def take(self) -> None:
        """Send the next in order."""
        waiting = self.owed or self.live
        expected = waiting.pop(0) if waiting else None
        self.gone += expected is not None
        assert self.outbox.take() == expected

    @rule(most=st.integers(min_value=1, max_value=3))
    def take_batch(self, most: int) -> None:
        """Send a batch: a gap alone, or updates up to the next gap."""
        taken = self.lane.take(most, self)
        expected = self.batched[: len(taken)]
        del self.batched[: len(taken)]
        self.gone += len(taken)
        assert list(taken) == expected
        gaps = [isinstance(item, Gap) for item in taken]
        assert gaps == [True] or not any(gaps)
        if len(taken) < most and gaps != [True] and self.batched:
            assert isinstance(self.batched[0], Gap)

    @rule(most=st.integers(min_value=1, max_value=3))
    def take_marked(self, most: int) -> None:
        """Send the newest values."""
        taken = self.latest.take(most, self)
        assert taken == list(self.marked.values())[:most]
        self.marked = dict(list(self.marked.items())[most:])

    @rule(symbols=st.sets(SYMBOLS, max_size=2))
    def forget(self, symbols: set[str]) -> None:
        """Somebody has unsubscribed."""
        self.outbox.forget(symbols)
        for items in (self.owed, self.live, self.batched):
            wanted = [item for item in items if item.symbol not in symbols]
            self.gone += len(items) - len(wanted)
            items[:] = wanted
        for symbol in symbols:
            self.marked.pop(symbol, None)

    @rule(symbol=SYMBOLS)
    def hasten(self, symbol: str) -> None:
        """Somebody wants all that waits of a symbol at once."""
        hastened = self.without(self.live, symbol)
        for lane in list(self.outbox.lanes.values()):
            hastened += self.without(self.batched, symbol) if lane is self.lane else []
            if lane is self.latest and symbol in self.marked:
                hastened.append(self.marked.pop(symbol))
                self.put += 1
        assert self.outbox.hasten([symbol], self) == len(hastened)
        self.owed += hastened
        self.drop(self.owed, 2 * self.capacity)

    @rule(size=st.sampled_from([0, 1, 300_000]))
    def put_control(self, size: int) -> None:
        """Queue an answer."""
        self.control.append(bytes(size))
        self.outbox.put_control(self.control[-1])

    @rule()
    def take_control(self) -> None:
        """Send an answer."""
        if self.control:
            assert self.outbox.take_control() is self.control.pop(0)

    @rule(count=st.integers(min_value=1, max_value=400))
    def change_terms(self, count: int) -> None:
        """Other intervals, one after the other, of which nothing waits for any."""
        for _ in range(count):
            self.intervals += 1.0
            self.outbox.lane("latest", self.intervals)

    @rule()
    def conflate(self) -> None:
        """The reader has taken nothing for too long."""
        self.outbox.conflate()
        kept = newest_of_each(self.owed + self.live)
        batched = newest_of_each(self.batched)
        self.dropped += len(self.owed + self.live + self.batched) - len(kept + batched)
        self.owed, self.live = [x for x in kept if x in self.owed], [x for x in kept if x in self.live]
        self.batched = batched

    @rule()
    def take_dropped(self) -> None:
        """Warn of what was dropped."""
        self.told += self.outbox.take_dropped()
        assert self.told == self.dropped

    @invariant()
    def holds_what_the_lists_hold(self) -> None:
        """Nothing is lost without being counted, and nothing grows without bound."""
        outbox = self.outbox
        assert list(outbox.updates) == self.owed + self.live
        assert outbox.owed == len(self.owed)
        assert list(self.lane.gaps_and_updates) == self.batched
        assert self.latest.marked == self.marked
        assert len(outbox) == len(self.owed + self.live + self.batched) + len(self.marked)
        assert len(outbox.updates) <= 3 * self.capacity
        assert len(self.batched) <= self.capacity
        assert len(outbox.lanes) <= 200 + 2
        assert list(outbox.control) == self.control
        too_much = sum(map(len, self.control)) > 1 << 20 or len(self.control) > self.capacity
        assert outbox.overflowing == too_much
        waiting = len(self.owed + self.live + self.batched)
        assert self.put == self.gone + self.dropped + waiting
        ordered = [item for item in (*outbox.updates, *self.batched) if isinstance(item, Update)]
        assert outbox.oldest == (ordered[0] if ordered else None)


TestOutboxModel = OutboxModel.TestCase
TestOutboxModel.settings = examples(80, steps=40)
