"""A hub joins the channel layer whatever happens, survives what it hears there, and leaves when stopped."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from redis.exceptions import ConnectionError as RedisConnectionError

from realtime import batches, healing, hub, membership, news, presence
from realtime.batches import Batch
from realtime.hub import Hub
from realtime.recent import Recent
from realtime.terms import PLAIN
from tests.lines import Timeout, line_to
from tests.realtime.peers import DEADLINE_S, EPOCH, ManualAlarms, Reader, update, updates


@pytest.fixture(autouse=True)
def _record_with_one_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks the database here."""

    async def fill(recent: Recent, *, most: int) -> None:
        recent.begin(EPOCH, complete_after=0)
        recent.add(update(1))

    async def read_missed(after: object, *, most: int) -> list[object]:
        return []

    monkeypatch.setattr(healing, "fill", fill)
    monkeypatch.setattr(healing, "read_missed", read_missed)


class Layer:
    """A channel layer in memory, which fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.groups: list[str] = []
        self.flushed = 0
        self.messages: asyncio.Queue[Any] = asyncio.Queue()

    async def new_channel(self) -> str:
        """As Channels has it."""
        return "channel"

    async def group_add(self, group: str, channel: str) -> None:
        """As Channels has it."""
        if self.failures:
            self.failures -= 1
            raise RedisConnectionError("away")
        self.groups.append(group)

    async def flush(self) -> None:
        """As Channels has it."""
        self.flushed += 1
        raise RedisConnectionError("away")

    async def receive(self, channel: str) -> Any:
        """As Channels has it."""
        message = await self.messages.get()
        if isinstance(message, Exception):
            raise message
        return message


async def test_a_hub_on_the_real_layer_survives_what_is_no_message_and_goes_on(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    made, layer = Hub(memory=10), get_channel_layer()
    made.start()
    made.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await made.joined.wait()
            await made.filled.wait()
        reader = Reader(made.alarms)
        made.subscribe(reader.connection, ["AAPL"], PLAIN)
        made.watching.follow(reader.connection, ["AAPL"])
        await layer.group_send(batches.GROUP, {"type": "junk"})
        await layer.group_send(batches.GROUP, {"type": batches.TYPE, "batch": b"junk"})
        told = [news.news_of("c-1", "AAPL", "explanation_progress", stage="fitting")]
        await layer.group_send(news.GROUP, news.encode(told))
        await layer.group_send(batches.GROUP, batches.encode(Batch("b", 1, updates(2, 3))))
        await reader.until(lambda: len(reader.wire.got) == 3)
    finally:
        await made.stop()
        await layer.flush()
    assert reader.frames[0]["type"] == "explanation_progress"
    assert reader.seqs == [2, 3]
    assert caplog.text.count("ignoring a message on the channel layer") == 2


async def test_joining_is_tried_until_the_layer_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer(failures=2)
    monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)
    made = Hub(memory=10)
    made.start()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await made.joined.wait()
    finally:
        await made.stop()
    # A channel of a failed try would be a member that nobody hears.
    assert (layer.flushed, layer.groups) == (2, [batches.GROUP, news.GROUP])


async def test_a_layer_that_fails_once_is_received_from_again(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer()
    monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)
    made = Hub(memory=10)
    made.start()
    try:
        await made.until_filled()
        reader = Reader(made.alarms)
        made.subscribe(reader.connection, ["AAPL"], PLAIN)
        for message in (RedisConnectionError("away"), batches.encode(Batch("b", 1, [update(2)]))):
            layer.messages.put_nowait(message)
        await reader.until(lambda: reader.seqs == [2])
        assert made.is_current()
    finally:
        await made.stop()


async def test_a_hub_that_hears_not_even_a_beat_joins_anew(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a connection that stays open and carries nothing any more."""
    monkeypatch.setattr(membership, "_DEAF_AFTER_S", 0.3)
    with line_to(os.environ["REDIS_URL"]) as line:
        layer = RedisPubSubChannelLayer(
            hosts=[{"address": line.url, "socket_timeout": 1}], prefix="pgw:layer:"
        )
        monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)
        made, bridge = Hub(memory=10), get_channel_layer()
        made.start()
        try:
            await made.until_filled()
            line.add(Timeout())
            line.mend()
            async with asyncio.timeout(DEADLINE_S):
                while not made.is_current():
                    await bridge.group_send(batches.GROUP, batches.encode(Batch("b", 0, [])))
                    await asyncio.sleep(0.05)
        finally:
            await made.stop()
            await layer.flush()
            await bridge.flush()


async def test_questions_about_connections_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Layer()
    asked: asyncio.Queue[Any] = asyncio.Queue()
    monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(presence, "hear", lambda hub_, message: asked.put_nowait((hub_, message["type"])))
    made = Hub(memory=10)
    made.start()
    try:
        for kind in sorted(presence.TYPES):
            layer.messages.put_nowait({"type": kind})
        async with asyncio.timeout(DEADLINE_S):
            handed_on = [await asked.get() for _ in presence.TYPES]
    finally:
        await made.stop()
    assert handed_on == [(made, kind) for kind in sorted(presence.TYPES)]


async def test_the_memory_is_filled_once_the_group_is_joined_and_before_anything_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer, may_fill = Layer(), asyncio.Event()
    monkeypatch.setattr(hub, "get_channel_layer", lambda: layer)
    fill = healing.fill

    async def fill_later(recent: Recent, *, most: int) -> None:
        assert (made.joined.is_set(), most) == (True, 10)
        await may_fill.wait()
        await fill(recent, most=most)

    monkeypatch.setattr(healing, "fill", fill_later)
    made = Hub(memory=10)
    made.start()
    try:
        early = Reader(made.alarms)
        made.subscribe(early.connection, ["AAPL"], PLAIN)
        layer.messages.put_nowait(batches.encode(Batch("b", 1, [update(2)])))
        async with asyncio.timeout(DEADLINE_S):
            await made.joined.wait()
        assert (made.filled.is_set(), early.frames) == (False, [])
        may_fill.set()
        await made.until_filled()
        await early.until(lambda: early.seqs == [1, 2])
        assert early.story == [(0, 1), 1, 2]
    finally:
        await made.stop()


async def test_nobody_waits_longer_for_the_memory_than_it_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_FILL_WITHIN_S", 0.01)
    made = Hub(memory=10)
    async with asyncio.timeout(DEADLINE_S):
        await made.until_filled()
    assert not made.filled.is_set()
    made.filled.set()
    await made.until_filled()


async def test_a_stopped_hub_wakes_nobody_and_leaves_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "get_channel_layer", Layer)
    before = asyncio.all_tasks()
    made = Hub(memory=10)
    alarms = ManualAlarms()
    made.alarms = alarms
    reader = Reader(alarms)
    made.subscribe(reader.connection, ["AAPL"], PLAIN)
    made.start()
    await made.until_filled()
    await made.take(Batch("b", 1, updates(*range(2, 14))))
    await made.stop()
    await made.stop()
    assert asyncio.all_tasks() == before
    alarms.advance(10)
    assert reader.story == [(0, 1), 1, *range(2, 10)]


async def test_a_loop_has_one_hub_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "get_channel_layer", Layer)
    await hub.drain_current(1.0)
    await hub.stop_current()
    assert hub._hubs.all() == []
    first = hub.current()
    try:
        assert hub.current() is first
        assert first.memory == 20_000
        reader = Reader(first.alarms)
        first.add(reader.connection)
        await hub.drain_current(1.0)
        assert reader.wire.closed_with == (1012, "")
        await hub.stop_current()
        assert hub.current() is not first
    finally:
        await hub.stop_current()
