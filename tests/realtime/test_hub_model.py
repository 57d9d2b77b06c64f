"""What clients can rely on, whatever bridges, layer and record do: in order, once, nothing in silence."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.batches import Batch
from realtime.protocol.requests import Since
from realtime.terms import PLAIN, Terms
from tests.examples import examples
from tests.realtime.peers import EPOCH, Reader
from tests.realtime.world import World

SYMBOLS = ["A", "B"]
TERMS = {
    "all": PLAIN,
    "timed": Terms(timing=True),
    "batch": Terms("batch", 0.5),
    "latest": Terms("latest", 0.5),
}


@dataclass
class Stay:
    """From a subscription to its end."""

    symbol: str
    mode: str
    # Everything up to here was seen before, and is not told again.
    seen: int
    begins_at: int
    # From here on everything is promised: later than `seen` where newest values could not be read.
    promised_after: int
    # It was told that newest values cannot be read: until the next update it is told nothing of the past.
    is_warned: bool
    ends_at: int | None = None
    # What had arrived by then, in its order.
    arrived: frozenset[int] = frozenset()


@dataclass
class Client:
    """A socket and its subscriptions so far."""

    reader: Reader
    stays: list[Stay] = field(default_factory=list)

    def end(self, arrived: set[int]) -> None:
        """No subscription any more."""
        for stay in self.stays:
            if stay.ends_at is None:
                stay.ends_at, stay.arrived = len(self.reader.wire.got), frozenset(arrived)


class Play:
    """One run: what happened so far, and what has not arrived yet."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seq = 0
        self.arrived: set[int] = set()
        self.furthest: dict[str, int] = {}
        self.on_their_way: dict[str, list[tuple[Batch, bool]]] = {"a": [], "b": []}
        # Taken by the stream, and not delivered to a bridge yet.
        self.overtaken: list[tuple[int, str]] = []
        # All that ever were: nobody has seen them, whatever place he comes with.
        self.late: set[int] = set()
        # What was lost for good may come again, to those as well who were told of it elsewhere.
        self.repeated: set[int] = set()
        self.clients = [Client(world.reader()) for _ in range(2)]

    async def do(self, step: tuple[Any, ...]) -> None:
        """What happens next."""
        await getattr(self, step[0])(*step[1:])

    async def send(self, bridge: str, symbols: list[str], arrives: bool) -> None:
        """A bridge records and sends a batch, or a beat."""
        told = []
        for symbol in symbols:
            self.seq += 1
            told.append((self.seq, symbol))
        self.on_their_way[bridge].append((self.world.send(*told, bridge=bridge), arrives))

    async def arrive(self, bridge: str) -> None:
        """The next batch of a bridge arrives, or does not."""
        if self.on_their_way[bridge]:
            batch, arrives = self.on_their_way[bridge].pop(0)
            if arrives:
                await self.world.hub.take(batch)
                for one in batch.updates:
                    if one.seq not in self.late and one.seq > self.furthest.get(one.symbol, 0):
                        self.furthest[one.symbol] = one.seq
                        self.arrived.add(one.seq)

    async def tell(self, bridge: str, symbols: list[str], arrives: bool) -> None:
        """A bridge sends a batch that arrives, or is lost, before anything else happens."""
        await self.send(bridge, symbols, arrives)
        while self.on_their_way[bridge]:
            await self.arrive(bridge)

    async def repeat(self, bridge: str, back: int) -> None:
        """A bridge sends again what it or another has sent before."""
        again = self.world.recorded[-back - 1 :][:2]
        self.world.recorded = [one for one in self.world.recorded if one not in again]
        self.repeated.update(one.seq or 0 for one in again)
        batch = self.world.send(*[(one.seq or 0, one.symbol) for one in again], bridge=bridge)
        self.on_their_way[bridge].append((batch, True))

    async def overtake(self, symbol: str) -> None:
        """What comes next is delivered before this."""
        self.seq += 1
        self.overtaken.append((self.seq, symbol))
        self.late.add(self.seq)

    async def redeliver(self, bridge: str, arrives: bool) -> None:
        """What was overtaken is delivered after all."""
        if self.overtaken:
            batch = self.world.send(self.overtaken.pop(0), bridge=bridge)
            self.on_their_way[bridge].append((batch, arrives))

    async def outage(self, record_is_away: bool, stores_are_away: bool) -> None:
        """The record goes, or comes back, alone or with all that knows the newest values."""
        self.world.record_is_away, self.world.stores_are_away = record_is_away, stores_are_away
        if not stores_are_away:
            await self.world.until_reread()

    async def come(self, number: int, symbols: list[str], mode: str, back: int | None) -> None:
        """A client subscribes with newest values, or with a place that it has seen."""
        client = self.clients[number]
        client.end(self.arrived)
        self.world.hub.unsubscribe(client.reader.connection, SYMBOLS)
        seen = None if back is None else self._recorded_until(self.seq - back)
        begins_at = len(client.reader.wire.got)
        since = None if seen is None else Since(EPOCH, seen)
        is_known = await self.world.subscribe(client.reader, *symbols, since=since, terms=TERMS[mode])
        for symbol in symbols:
            told = _told(client.reader, symbol, begins_at, None)
            first = next((next(iter(part)) for part in told if isinstance(part, set)), 0)
            promised_after = seen if seen is not None else first if is_known else self.seq
            client.stays.append(
                Stay(symbol, mode, first if seen is None else seen, begins_at, promised_after, not is_known)
            )

    def _recorded_until(self, seq: int) -> int:
        """The last place up to `seq` that anyone can have seen."""
        return max((one.seq or 0 for one in self.world.recorded if (one.seq or 0) <= seq), default=0)

    async def leave(self, number: int) -> None:
        """A client unsubscribes."""
        self.clients[number].end(self.arrived)
        self.world.hub.unsubscribe(self.clients[number].reader.connection, SYMBOLS)

    async def wait(self, seconds: float) -> None:
        """Time passes."""
        self.world.alarms.advance(seconds)

    async def finish(self) -> None:
        """Everything is back, and everyone has heard of everything."""
        await self.outage(record_is_away=False, stores_are_away=False)
        while self.overtaken:
            await self.redeliver("a", arrives=True)
        for bridge, waiting in self.on_their_way.items():
            while waiting:
                await self.arrive(bridge)
            await self.world.tell(bridge=bridge)
        await self.world.until_reread()
        self.world.alarms.advance(5)


def _told(reader: Reader, symbol: str, begins_at: int, ends_at: int | None) -> list[Any]:
    """Gaps as ``(from, to)``, newest values as ``{seq}`` and updates as ``seq``."""
    told: list[Any] = []
    for frame in reader.frames[begins_at:ends_at]:
        for one in frame.get("updates", [frame]):
            if one["symbol"] == symbol:
                if one["type"] == "gap":
                    told.append((one["from"], one["to"]))
                else:
                    told.append({one["seq"]} if "snapshot" in one else one["seq"])
    return told


def check(play: Play, client: Client, stay: Stay) -> None:
    """The promises of the protocol, for one symbol in one subscription."""
    told = _told(client.reader, stay.symbol, stay.begins_at, stay.ends_at)
    values = [next(iter(part)) if isinstance(part, set) else part for part in told]
    seqs = [one for one in values if isinstance(one, int)]
    assert seqs == sorted(set(seqs)), f"not in order, or twice: {told}"
    seen = stay.seen
    may_come = play.late | play.repeated
    again = [seq for seq in seqs if seq <= seen and {seq} not in told and seq not in may_come]
    assert not again, f"told what was seen up to {seen}: {told}"
    of_symbol = [one.seq or 0 for one in play.world.recorded if one.symbol == stay.symbol]
    if stay.ends_at is not None:
        of_symbol = [seq for seq in of_symbol if seq in stay.arrived and seq <= max(seqs, default=0)]
    if stay.is_warned:
        of_symbol = [seq for seq in of_symbol if seq <= max(seqs, default=0)]
    until = max(of_symbol, default=0)
    if stay.mode == "latest":
        assert until <= seen or seqs[-1:] >= [until], f"not the newest: {told}"
        return
    gaps = [part for part in told if isinstance(part, tuple)]
    for seq in of_symbol:
        if seq > stay.promised_after and seq not in seqs:
            assert any(before < seq < after for before, after in gaps), f"{seq} of {until} left out: {told}"


BRIDGES = st.sampled_from(["a", "b"])
SOME = st.lists(st.sampled_from(SYMBOLS), max_size=3)
ARRIVES = st.sampled_from([True, True, True, False])
STEPS = st.one_of(
    st.tuples(st.just("tell"), BRIDGES, SOME, ARRIVES),
    st.tuples(st.just("tell"), BRIDGES, SOME, ARRIVES),
    st.tuples(st.just("send"), BRIDGES, SOME, ARRIVES),
    st.tuples(st.just("arrive"), BRIDGES),
    st.tuples(st.just("arrive"), BRIDGES),
    st.tuples(st.just("repeat"), BRIDGES, st.integers(0, 3)),
    st.tuples(st.just("overtake"), st.sampled_from(SYMBOLS)),
    st.tuples(st.just("redeliver"), BRIDGES, ARRIVES),
    st.tuples(st.just("outage"), st.booleans(), st.booleans()),
    st.tuples(
        st.just("come"),
        st.integers(0, 1),
        st.sampled_from([["A"], ["A", "B"]]),
        st.sampled_from(sorted(TERMS)),
        st.sampled_from([None, 0, 1, 3, 8]),
    ),
    st.tuples(st.just("leave"), st.integers(0, 1)),
    st.tuples(st.just("wait"), st.sampled_from([0.05, 0.3, 4.0])),
)


async def play_through(steps: list[tuple[Any, ...]]) -> None:
    """Do it, and check every promise."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        world = World(monkeypatch, memory=1_000)
        play = Play(world)
        for bridge in play.on_their_way:  # a bridge beats every second
            await world.tell(bridge=bridge)
        for step in steps:
            await play.do(step)
        await play.finish()
        await world.hub.stop()
    for client in play.clients:
        for stay in client.stays:
            check(play, client, stay)


@examples(200)
@given(st.lists(STEPS, min_size=12, max_size=60))
def test_whatever_happens_updates_come_in_order_once_and_nothing_is_left_out_in_silence(
    steps: list[tuple[Any, ...]],
) -> None:
    asyncio.run(play_through(steps))
