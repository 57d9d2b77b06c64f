"""What waits for one socket: bounded, the oldest update goes first. Pure.

1. Answers and warnings go before updates and are never dropped for them.
2. Updates of mode `all` wait in order, `capacity` of them. What is owed (snapshots, what was missed) does not
   count, and is not paced: `owed` says how many of the first are that.
3. Mode `batch` has a list and mode `latest` the newest of each symbol, both sent once an interval: a `Lane`.
4. `conflate` leaves the newest update of each symbol alone, for a reader that takes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple, Protocol, TypeVar

from realtime.batches import Update
from realtime.protocol.messages import Gap


class Snapshot(NamedTuple):
    """The newest value, for one who has just subscribed."""

    update: Update

    @property
    def symbol(self) -> str:
        """Whose it is."""
        return self.update.symbol


class Source(Protocol):
    """Knows the last update of a symbol when it is to be sent."""

    def take_last(self, taker: Any) -> Update | None:
        """The last update; from now on `taker` is to be marked again by the next."""


Item = Update | Snapshot | Gap
ItemT = TypeVar("ItemT", bound=Item)

_MOST_CONTROL_BYTES = 1 << 20
_MOST_LANES = 200
"""Twice what a socket needs that has another interval for each of its symbols."""


class Lane:
    """What waits for its interval. `marked` symbols are sent as their sources have them then."""

    __slots__ = ("due", "gaps_and_updates", "interval_s", "marked")

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self.due = 0.0
        self.gaps_and_updates: deque[Update | Gap] = deque()
        self.marked: dict[str, Source | Update] = {}

    def __len__(self) -> int:
        return len(self.gaps_and_updates) + len(self.marked)

    def take(self, most: int, taker: object) -> list[Update | Gap]:
        """What is to be sent now: a gap alone, or updates up to the next gap, `most` of them."""
        waiting = self.gaps_and_updates
        if waiting and isinstance(waiting[0], Gap):
            return [waiting.popleft()]
        taken: list[Update | Gap] = []
        while waiting and len(taken) < most and not isinstance(waiting[0], Gap):
            taken.append(waiting.popleft())
        for symbol in list(self.marked)[: most - len(taken)]:
            source = self.marked.pop(symbol)
            update = source if isinstance(source, Update) else source.take_last(taker)
            if update is not None:
                taken.append(update)
        return taken

    def take_away(self, symbols: Iterable[str], taker: object) -> list[Update | Gap]:
        """All that waits of `symbols`."""
        wanted = set(symbols)
        taken = [one for one in self.gaps_and_updates if one.symbol in wanted]
        if taken:
            self.gaps_and_updates = deque(one for one in self.gaps_and_updates if one.symbol not in wanted)
        for symbol in wanted.intersection(self.marked):
            source = self.marked.pop(symbol)
            update = source if isinstance(source, Update) else source.take_last(taker)
            if update is not None:
                taken.append(update)
        return taken


class Outbox:
    """What one socket has not got yet."""

    __slots__ = ("_capacity", "control", "control_bytes", "dropped", "lanes", "owed", "updates")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        # Updates that were left out and not told of yet; a gap that was left out stands for one at least.
        self.dropped = 0
        self.control: deque[bytes] = deque()
        self.control_bytes = 0
        self.updates: deque[Item] = deque()
        self.owed = 0
        self.lanes: dict[tuple[str, float], Lane] = {}

    def __len__(self) -> int:
        """How many updates wait."""
        return len(self.updates) + sum(len(lane) for lane in self.lanes.values())

    @property
    def overflowing(self) -> bool:
        """True when even the answers to its own requests pile up: the reader is given up."""
        return len(self.control) > self._capacity or self.control_bytes > _MOST_CONTROL_BYTES

    def put_control(self, payload: bytes) -> None:
        """Queue an answer, a warning or an error."""
        self.control.append(payload)
        self.control_bytes += len(payload)

    def take_control(self) -> bytes:
        """The next of them; there must be one."""
        payload = self.control.popleft()
        self.control_bytes -= len(payload)
        return payload

    @property
    def oldest(self) -> Update | None:
        """The update that has waited longest, of those that are not newest values."""
        waiting: list[Item] = [*self.updates]
        for lane in self.lanes.values():
            waiting += lane.gaps_and_updates
        return next((item for item in waiting if isinstance(item, Update)), None)

    def take_dropped(self) -> int:
        """How many updates were dropped since the last call."""
        dropped, self.dropped = self.dropped, 0
        return dropped

    def put(self, item: Item) -> None:
        """Queue an update; the oldest waiting one is dropped and counted where there is no room."""
        self.updates.append(item)
        if len(self.updates) - self.owed > self._capacity:
            self.dropped += 1
            del self.updates[self.owed]

    def owe(self, items: Iterable[Item]) -> None:
        """Queue what the socket has a right to now: before all that is live, and not paced."""
        owed = list(items)
        if self.owed == len(self.updates):
            self.updates.extend(owed)
        else:
            for place, item in enumerate(owed):
                self.updates.insert(self.owed + place, item)
        live = len(self.updates) - self.owed - len(owed)
        self._shorten(self.updates, 2 * self._capacity + live)
        self.owed = len(self.updates) - live

    def take(self) -> Item | None:
        """The next update that waits in order."""
        if not self.updates:
            return None
        self.owed = max(0, self.owed - 1)
        return self.updates.popleft()

    def lane(self, mode: str, interval_s: float) -> Lane:
        """The lane of `mode` with this interval, made at first use."""
        found = self.lanes.get((mode, interval_s))
        if found is None:
            if len(self.lanes) >= _MOST_LANES:  # of terms that were given up
                self.lanes = {key: lane for key, lane in self.lanes.items() if len(lane)}
            found = self.lanes[mode, interval_s] = Lane(interval_s)
        return found

    def put_batched(self, lane: Lane, item: Update | Gap) -> None:
        """Queue for the next batch; the oldest is dropped and counted where there is no room."""
        lane.gaps_and_updates.append(item)
        if sum(len(one.gaps_and_updates) for one in self.lanes.values()) > self._capacity:
            longest = max(self.lanes.values(), key=lambda one: len(one.gaps_and_updates))
            self._shorten(longest.gaps_and_updates, len(longest.gaps_and_updates) - 1)

    def forget(self, symbols: Iterable[str]) -> None:
        """What waits of `symbols` is not wanted any more."""
        unwanted = set(symbols)
        owed = [item for item in list(self.updates)[: self.owed] if item.symbol not in unwanted]
        live = [item for item in list(self.updates)[self.owed :] if item.symbol not in unwanted]
        self.updates, self.owed = deque([*owed, *live]), len(owed)
        for lane in self.lanes.values():
            lane.gaps_and_updates = deque(one for one in lane.gaps_and_updates if one.symbol not in unwanted)
            for symbol in unwanted.intersection(lane.marked):
                del lane.marked[symbol]

    def hasten(self, symbols: Iterable[str], taker: object) -> int:
        """Owe at once what waits of `symbols`, whatever for; returns how many that were."""
        wanted = set(symbols)
        live = list(islice(self.updates, self.owed, None))
        hastened: list[Item] = [item for item in live if item.symbol in wanted]
        if hastened:
            kept = [item for item in live if item.symbol not in wanted]
            self.updates = deque([*islice(self.updates, self.owed), *kept])
        for lane in self.lanes.values():
            hastened += lane.take_away(symbols, taker)
        self.owe(hastened)
        return len(hastened)

    def conflate(self) -> None:
        """Keep the newest update of each symbol; what goes is counted as dropped."""
        live = {one.symbol for one in islice(self.updates, self.owed, None) if not isinstance(one, Gap)}
        self.updates = self._conflated(self.updates)
        self.owed = sum(one.symbol not in live for one in self.updates)
        for lane in self.lanes.values():
            lane.gaps_and_updates = self._conflated(lane.gaps_and_updates)

    def _conflated(self, items: deque[ItemT]) -> deque[ItemT]:
        newest: dict[str, ItemT] = {}
        for item in items:
            if not isinstance(item, Gap):
                newest.pop(item.symbol, None)
                newest[item.symbol] = item
        self.dropped += len(items) - len(newest)
        return deque(newest.values())

    def _shorten(self, items: deque[ItemT], most: int) -> None:
        """Drop the oldest beyond `most`."""
        for _ in range(len(items) - most):
            items.popleft()
            self.dropped += 1
