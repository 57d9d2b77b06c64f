"""A hub and all around it in memory: bridges, a layer that loses, a record and stores that go away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from django.db import OperationalError

from observability import blocking
from predictions import reads, record
from predictions.documents import PredictionDocument
from realtime import healing
from realtime import hub as hub_module
from realtime.batches import Batch, Place, Update, update_of
from realtime.hub import Hub
from realtime.protocol.requests import Since
from realtime.terms import PLAIN, Terms
from tests.realtime.peers import DEADLINE_S, EPOCH, ManualAlarms, Reader, document, update


class World:
    """A hub in the test's time. What is `recorded` is what the bridges have stored."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, memory: int = 50) -> None:
        self.hub = Hub(memory=memory)
        self.alarms = ManualAlarms()
        self.hub.alarms = self.alarms
        self.recorded: list[PredictionDocument] = []
        # Rows with a lower number were deleted.
        self.record_begins_at = 0
        self.record_is_away = False
        self.stores_are_away = False
        # Each call of a store with what it asked for.
        self.asked_after: list[Place] = []
        self.asked_missed: list[dict[str, int]] = []
        self.asked_newest: list[list[str]] = []
        self.was_asked_newest = asyncio.Event()
        self.numbers: dict[str, int] = {}
        self.told_until: dict[str, Place] = {}
        self.late: dict[str, list[Place]] = {}
        self._loop = asyncio.get_running_loop()
        monkeypatch.setattr(healing, "read_missed", self._read_missed)
        monkeypatch.setattr(reads, "newest_predictions", self._newest_predictions)
        monkeypatch.setattr(record, "missed", self._missed)
        monkeypatch.setattr(record, "reaches_back", self._reaches_back)
        monkeypatch.setattr(record, "last_place", self._last_place)
        monkeypatch.setattr(hub_module, "_SETTLE_S", 0.0)

    @property
    def calls(self) -> int:
        """How often a store was asked."""
        return len(self.asked_after) + len(self.asked_missed) + len(self.asked_newest)

    # Bridges

    def send(self, *told: tuple[int, str], bridge: str = "a", epoch: str = EPOCH) -> Batch:
        """A batch that is recorded and on its way; without updates a beat."""
        made = [document(seq, symbol, epoch=epoch) for seq, symbol in told]
        # A bridge that comes anew has looked how far the record goes.
        furthest = max((update_of(one).place for one in self.recorded), default=("", 0))
        self.told_until.setdefault(bridge, furthest)
        self.recorded += made
        self.numbers[bridge] = self.numbers.get(bridge, 0) + bool(told)
        updates, until = [update_of(one) for one in made], self.told_until[bridge]
        places = [one.place for one in updates]
        late = self.late.setdefault(bridge, [])
        batch = Batch(bridge, self.numbers[bridge], updates, until, min(late, default=None))
        late += [place for place in places if place <= until]
        self.told_until[bridge] = max(until, *places, ("", 0))
        return batch

    def lose(self, *told: tuple[int, str], bridge: str = "a") -> Batch:
        """A batch that is recorded and does not arrive."""
        return self.send(*told, bridge=bridge)

    async def tell(self, *told: tuple[int, str], bridge: str = "a", epoch: str = EPOCH) -> None:
        """A batch that arrives."""
        await self.hub.take(self.send(*told, bridge=bridge, epoch=epoch))

    # Sockets

    def reader(self, *symbols: str, terms: Terms = PLAIN) -> Reader:
        """A socket that follows these symbols, and gets updates as fast as they come."""
        made = Reader(self.alarms, lag=self.hub.lag, name=str(len(self.hub.connections)))
        made.connection.pace(10_000)
        self.hub.add(made.connection)
        self.hub.subscribe(made.connection, symbols, terms)
        return made

    async def subscribe(
        self,
        reader: Reader,
        *symbols: str,
        since: Since | None = None,
        snapshot: bool = True,
        terms: Terms = PLAIN,
    ) -> bool:
        """Subscribe as the consumer does; False where no store could answer."""
        recall = self.hub.recall
        read = await recall.read(symbols, since=since, snapshot=snapshot)
        owed = recall.owed(symbols, read, since=since, snapshot=snapshot) if since or snapshot else None
        self.hub.subscribe(reader.connection, symbols, terms, owed)
        return not read.failed

    async def come(self, *symbols: str, since: Since | None = None, snapshot: bool = True) -> Reader:
        """A socket that has just subscribed."""
        made = self.reader()
        assert await self.subscribe(made, *symbols, since=since, snapshot=snapshot)
        return made

    def start_anew(self, *known: tuple[int, str]) -> None:
        """Let memory be that of a process that has just started, and has read these from the record."""
        self.recorded += [document(seq, symbol) for seq, symbol in known]
        self.hub.recent.begin(EPOCH, complete_after=known[0][0] - 1)
        self.hub.recent._newest.clear()
        for seq, symbol in known:
            self.hub.recent.add(update(seq, symbol))
        self.asked_after.clear()

    async def until_reread(self) -> None:
        """Wait until the newest values were told."""
        async with asyncio.timeout(DEADLINE_S):
            while (task := self.hub._rereading) is not None and not task.done():
                await asyncio.wait([task])

    # The record and the stores

    async def _read_missed(self, after: Place, *, most: int) -> list[Update] | None:
        self.asked_after.append(after)
        found = sorted(map(update_of, self.recorded), key=lambda one: one.place)
        found = [one for one in found if one.place > after]
        return None if self.record_is_away or len(found) > most else found

    def _missed(self, epoch: str, seen: Mapping[str, int], *, limit: int) -> list[PredictionDocument]:
        self.asked_missed.append(dict(seen))
        self._check_record()
        return missed(self._kept, epoch, seen, limit=limit)

    def _reaches_back(self, epoch: str, seq: int) -> bool:
        self._check_record()
        return reaches_back(self._kept, epoch, seq)

    def _last_place(self) -> Place:
        self._check_record()
        return max((update_of(one).place for one in self._kept), default=("", 0))

    def _newest_predictions(self, symbols: Sequence[str]) -> dict[str, PredictionDocument]:
        self.asked_newest.append(list(symbols))
        self._loop.call_soon_threadsafe(self.was_asked_newest.set)
        if self.stores_are_away:
            raise reads.NoStoreReachable
        return newest(self.recorded, symbols)

    @property
    def _kept(self) -> list[PredictionDocument]:
        return [one for one in self.recorded if (one.seq or 0) >= self.record_begins_at]

    def _check_record(self) -> None:
        if self.record_is_away:
            raise OperationalError("away")


async def open_world(monkeypatch: pytest.MonkeyPatch) -> World:
    """A hub that has heard AAPL 1 and MSFT 2 of its bridge and misses nothing."""
    made = World(monkeypatch, memory=2_000)
    await made.tell((1, "AAPL"), (2, "MSFT"))
    made.asked_after.clear()
    return made


def since(seq: int, epoch: str = EPOCH, **seqs: int) -> Since:
    """What a client has seen."""
    return Since(epoch, seq, seqs)


class Gate:
    """Holds up every call of a store, before it is made or when it has its answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, holds_answer: bool) -> None:
        self.held = asyncio.Event()
        self.go_on = asyncio.Event()
        self._holds_answer = holds_answer
        self._run = blocking.run
        monkeypatch.setattr(blocking, "run", self.run)

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """As `blocking.run`."""
        if self._holds_answer:
            found = await self._run(function, *args)
            await self._hold()
            return found
        await self._hold()
        return await self._run(function, *args)

    async def _hold(self) -> None:
        self.held.set()
        await self.go_on.wait()

    async def until_held(self) -> None:
        """Wait until one is held up, which may have been before."""
        async with asyncio.timeout(DEADLINE_S):
            await self.held.wait()
        self.held.clear()


def missed(
    recorded: Sequence[PredictionDocument], epoch: str, seen: Mapping[str, int], *, limit: int
) -> list[PredictionDocument]:
    """What `record.missed` answers where this is recorded."""
    behind = [
        (one.seq or 0, one)
        for one in recorded
        if one.epoch == epoch and one.symbol in seen and (one.seq or 0) > seen[one.symbol]
    ]
    return [one for _, one in sorted(behind, key=lambda pair: pair[0])][:limit]


def reaches_back(recorded: Sequence[PredictionDocument], epoch: str, seq: int) -> bool:
    """What `record.reaches_back` answers where this is recorded."""
    seqs = [one.seq or 0 for one in recorded if one.epoch == epoch]
    return bool(seqs) and min(seqs) <= seq + 1


def newest(recorded: Sequence[PredictionDocument], symbols: Sequence[str]) -> dict[str, PredictionDocument]:
    """What `reads.newest_predictions` answers where this is recorded."""
    found: dict[str, PredictionDocument] = {}
    for one in sorted(recorded, key=lambda one: one.order):
        if one.symbol in symbols:
            found[one.symbol] = one
    return found
