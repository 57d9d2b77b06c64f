"""The hub's decisions: who is told, what is news, and when a batch must have been lost."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer

from predictions.documents import PredictionDocument
from realtime import batches
from realtime.batches import Batch, Update
from realtime.connection import Connection
from realtime.hub import Hub


class Peer:
    """A peer that takes everything at once."""

    def __init__(self, hub: Hub, *symbols: str) -> None:
        self.got: list[dict[str, Any]] = []
        self.told = asyncio.Event()
        self.connection = Connection("1", self.send)
        hub.subscribe(self.connection, symbols)

    async def send(self, message: dict[str, Any]) -> None:
        self.got.append(json.loads(message["text"]))
        self.told.set()

    @property
    def seqs(self) -> list[int]:
        """What arrived, by its number."""
        return [frame["seq"] for frame in self.got if frame["type"] == "prediction_update"]


def update(seq: int, symbol: str = "AAPL", epoch: str = "e") -> Update:
    """An update whose document tells its number."""
    return Update(symbol, seq, epoch, json.dumps({"symbol": symbol, "seq": seq}).encode())


@pytest.fixture
def healings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often a hub starts to heal."""
    started: list[int] = []
    monkeypatch.setattr(Hub, "_start_healing", lambda self: started.append(1))
    return started


async def test_updates_go_to_the_subscribers_of_their_symbol_in_order(healings: list[int]) -> None:
    hub = Hub()
    apple, both = Peer(hub, "AAPL"), Peer(hub, "AAPL", "MSFT")
    hub.deliver(Batch("b", 1, [update(1), update(2, "MSFT"), update(3), update(4, "IBM")]))
    assert apple.seqs == [1, 3]
    assert both.seqs == [1, 2, 3]
    assert hub.unsubscribe(both.connection, ["AAPL", "AAPL", "IBM"]) == ["AAPL"]
    hub.remove(apple.connection)
    hub.deliver(Batch("b", 2, [update(5), update(6, "MSFT")]))
    assert apple.seqs == [1, 3]
    assert both.seqs == [1, 2, 3, 6]


async def test_what_is_older_than_what_was_told_is_dropped_until_the_stream_begins_anew(
    healings: list[int],
) -> None:
    hub = Hub()
    peer = Peer(hub, "AAPL")
    hub.deliver(Batch("a", 1, [update(2)]))
    hub.deliver(Batch("b", 1, [update(1), update(2), update(3)]))
    hub.deliver(Batch("b", 2, [update(1, epoch="new life")]))
    assert peer.seqs == [2, 3, 1]


async def test_a_hole_a_missed_beat_and_an_unknown_bridge_start_healing(
    healings: list[int],
) -> None:
    hub = Hub()
    for batch, expected in (
        (Batch("a", 7, [update(1)]), 1),  # never heard before
        (Batch("a", 8, [update(2)]), 1),
        (Batch("a", 8, []), 1),  # a beat that repeats what was heard
        (Batch("a", 8, [update(2)]), 1),  # sent twice
        (Batch("a", 10, [update(3)]), 2),  # 9 was lost
        (Batch("a", 11, []), 3),  # 11 was lost and only its beat has come
        (Batch("a", 12, [update(4)]), 3),
        (Batch("b", 0, []), 4),
        (Batch("a", 12, []), 4),
    ):
        hub.deliver(batch)
        assert len(healings) == expected, batch


async def test_the_number_of_bridges_remembered_is_bounded(healings: list[int]) -> None:
    hub = Hub()
    for number in range(200):
        hub.deliver(Batch(f"bridge {number}", 1, []))
    assert len(hub._heard) <= 64


async def test_healing_tells_the_gap_and_the_newest_only_to_those_behind() -> None:
    hub = Hub()
    behind, fresh, current = Peer(hub, "AAPL"), Peer(hub, "MSFT"), Peer(hub, "IBM")
    hub._tell(update(3), {behind.connection})
    hub._tell(update(9, "IBM"), {current.connection})
    for healed in (update(7), update(8, "MSFT"), update(9, "IBM"), update(1, "UNASKED")):
        hub._tell_healed(healed)
    assert behind.got[1] == {"type": "gap", "symbol": "AAPL", "from": 3, "to": 7}
    assert behind.seqs == [3, 7]
    assert [frame["type"] for frame in fresh.got] == ["prediction_update"]
    assert current.seqs == [9]


async def test_a_hole_that_is_noticed_while_healing_is_healed_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub = Hub()
    Peer(hub, "AAPL")
    reading, read_on, rounds = asyncio.Event(), asyncio.Event(), []

    async def heal(self: Hub) -> None:
        rounds.append(dict(self._heard))
        reading.set()
        await read_on.wait()

    monkeypatch.setattr(Hub, "_heal", heal)
    hub.deliver(Batch("a", 1, []))
    await reading.wait()
    hub.deliver(Batch("a", 5, [update(5)]))
    read_on.set()
    assert hub._healing is not None
    await asyncio.wait_for(hub._healing, 5)
    assert rounds == [{"a": 1}, {"a": 5}]


async def test_nothing_is_healed_without_subscribers() -> None:
    hub = Hub()
    hub.deliver(Batch("a", 7, [update(1)]))
    assert hub._healing is None


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "other"},
        {"type": "predictions.batch", "bridge": "b"},
        {"type": "predictions.batch", "bridge": "b", "batch": 1, "updates": [["AAPL"]]},
    ],
)
def test_a_message_that_is_no_batch_is_told_from_one(message: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        batches.decode(message)


async def test_the_hub_survives_what_is_no_batch_on_the_channel_layer(
    redis_client: redis.Redis, healings: list[int]
) -> None:
    hub = Hub()
    peer = Peer(hub, "AAPL")
    layer = get_channel_layer()
    hub.start()
    hub.start()
    try:
        await asyncio.wait_for(hub.joined.wait(), 10)
        await layer.group_send(batches.GROUP, {"type": "junk"})
        good = {"type": "predictions.batch", "bridge": "b", "batch": 1}
        told = [["AAPL", 1, "e", b'{"seq":1}']]
        await layer.group_send(batches.GROUP, {**good, "updates": told})
        await asyncio.wait_for(peer.told.wait(), 10)
    finally:
        await hub.stop()
        await layer.flush()
    assert peer.seqs == [1]


def test_an_update_carries_the_document_without_features() -> None:
    document = PredictionDocument(
        symbol="AAPL",
        predicted_price=1.0,
        current_price=1.0,
        confidence=0.5,
        horizon="1d",
        model_version="m",
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
        seq=3,
        epoch="e",
        features={"x": 1},
    )
    told = batches.update_of(document)
    assert (told.symbol, told.seq, told.epoch) == ("AAPL", 3, "e")
    assert "features" not in json.loads(told.document)
