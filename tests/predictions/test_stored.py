"""The newest values in Redis, read on the event loop: shown as the views show them, decoded once a change."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import redis
from pytest_django import Settings

from gateway_project import embedded
from observability.redis_link import RedisUnavailable
from predictions import documents, newest, stored
from predictions.answers import Shown
from predictions.documents import PredictionDocument
from predictions.newest import NewestStore, NewestUnavailable
from tests.stack import eventually

MADE = datetime(2026, 1, 1, tzinfo=UTC)
MOMENT: dict[str, Any] = {"now_us": documents.epoch_micros(MADE) + 5_000_000, "stale_after_s": 300.0}


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    """The loop's connection ends with the test."""
    yield
    await stored.stop_current()


def document(symbol: str, seq: int = 1, **changes: Any) -> PredictionDocument:
    """A prediction of our bridge, as Redis gives it back."""
    timestamp = MADE + timedelta(seconds=seq)
    made = PredictionDocument(
        symbol=symbol,
        predicted_price=100.0 + seq,
        current_price=100.0,
        confidence=0.5,
        horizon="1d",
        model_version="m",
        timestamp=timestamp,
        as_of=timestamp,
        seq=seq,
        epoch="18f",
        features={"momentum_21d": 0.04},
    )
    return msgspec.structs.replace(made, **changes)


async def test_what_was_stored_is_found_and_what_was_not_is_not(
    newest_store: NewestStore, symbol: str
) -> None:
    newest_store.put_if_newer([document("AAPL"), document(symbol, 2)])
    found = await stored.get([symbol, "NONE", "AAPL"])
    assert {name: one.document for name, one in found.items()} == {
        symbol: document(symbol, 2),
        "AAPL": document("AAPL"),
    }
    assert await stored.get(["NONE"]) == {}


async def test_it_is_what_the_store_of_the_views_finds(newest_store: NewestStore) -> None:
    newest_store.put_if_newer(
        [document("AAPL"), document("MSFT", features=None), document("IBM", as_of=None)]
    )
    wanted = ["AAPL", "IBM", "MSFT", "XOM"]
    found = await stored.get(wanted)
    assert {name: one.document for name, one in found.items()} == newest_store.get_many(wanted)


async def test_many_are_read_by_one_mget(newest_store: NewestStore, redis_client: redis.Redis) -> None:
    wanted = [first + second for first in "ABCDEFGHIJ" for second in "KLMNOPQRST"]
    newest_store.put_if_newer(map(document, wanted))
    redis_client.config_resetstat()
    assert list(await stored.get(wanted)) == wanted
    stats: Any = redis_client.info("commandstats")
    assert stats["cmdstat_mget"]["calls"] == 1


@pytest.mark.parametrize("include_features", [False, True], ids=["lean", "full"])
async def test_it_is_shown_as_it_would_be_by_a_view(
    newest_store: NewestStore, include_features: bool
) -> None:
    newest_store.put_if_newer([document("AAPL")])
    shown = (await stored.get(["AAPL"]))["AAPL"].shown(include_features=include_features)
    expected = Shown(document("AAPL"), include_features=include_features)
    assert shown.body(**MOMENT) == expected.body(**MOMENT)
    assert shown.etag(**MOMENT) == expected.etag(**MOMENT)
    assert ("features" in json.loads(shown.body(**MOMENT))) is include_features


async def test_what_has_not_changed_is_made_ready_once_each_way(newest_store: NewestStore) -> None:
    newest_store.put_if_newer([document("AAPL")])
    first, again = (await stored.get(["AAPL"]))["AAPL"], (await stored.get(["AAPL"]))["AAPL"]
    assert first is again
    lean, full = (first.shown(include_features=way) for way in (False, True))
    assert lean is not full
    assert (again.shown(include_features=False), again.shown(include_features=True)) == (lean, full)


async def test_a_newer_value_is_found_at_the_next_read(newest_store: NewestStore) -> None:
    seqs = []
    for seq in (1, 3, 2):  # the last one is late
        newest_store.put_if_newer([document("AAPL", seq)])
        shown = (await stored.get(["AAPL"]))["AAPL"].shown(include_features=False)
        seqs.append(json.loads(shown.body(**MOMENT))["seq"])
    assert seqs == [1, 3, 3]


@pytest.mark.parametrize(
    "value",
    [b"{", b"[]", b"\xff", b"", b"{}", documents.encode(document("MSFT"))],
    ids=["cut", "list", "no UTF-8", "empty", "no fields", "another symbol"],
)
async def test_what_cannot_be_read_or_is_another_symbols_counts_as_missing(
    redis_client: redis.Redis, value: bytes
) -> None:
    redis_client.set("pred:AAPL", value)
    assert await stored.get(["AAPL"]) == {}


async def test_what_cannot_be_read_is_told_once(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_client.set("pred:AAPL", b"{")
    with caplog.at_level(logging.WARNING, logger="predictions.newest"):
        for _ in range(3):
            await stored.get(["AAPL"])
    assert [one.getMessage().partition(":A")[0] for one in caplog.records] == ["ignoring pred"]


async def test_a_value_of_somebody_else_is_shown_too(redis_client: redis.Redis) -> None:
    redis_client.set("pred:AAPL", documents.encode(document("AAPL", seq=1, epoch=None)))
    assert (await stored.get(["AAPL"]))["AAPL"].document.epoch is None


@pytest.fixture
def away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewestStore]:
    """The store of a process whose Redis does not answer."""
    url = f"redis://127.0.0.1:{embedded.free_port()}"
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url=url)
    made = NewestStore(url, connections=2, ttl_s=60)
    monkeypatch.setattr(newest, "store", lambda: made)
    yield made
    made.close()


async def test_a_redis_that_is_away_is_told_and_the_store_knows_of_it(away: NewestStore) -> None:
    with pytest.raises(RedisUnavailable):
        await stored.get(["AAPL"])
    assert away.outage.ongoing


async def test_a_redis_that_the_store_has_found_to_be_away_is_not_tried(
    away: NewestStore, settings: Settings, redis_client: redis.Redis
) -> None:
    with pytest.raises(NewestUnavailable):
        away.get_many(["AAPL"])
    url = os.environ["REDIS_URL"]  # it is there, but who asks would have to wait for that
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url=url)
    with pytest.raises(RedisUnavailable):
        await stored.get(["AAPL"])
    away.outage.succeeded()
    assert await stored.get(["AAPL"]) == {}


async def test_all_readers_of_a_loop_share_a_connection_until_it_is_stopped(
    newest_store: NewestStore, redis_client: redis.Redis
) -> None:
    newest_store.put_if_newer([document("AAPL")])
    await stored.stop_current()  # there is none yet
    before = connections(redis_client)
    found = await asyncio.gather(*(stored.get(["AAPL"]) for _ in range(20)))
    assert all(list(one) == ["AAPL"] for one in found)
    [added] = connections(redis_client) - before
    await stored.stop_current()
    await asyncio.to_thread(eventually, lambda: added not in connections(redis_client))
    assert list(await stored.get(["AAPL"])) == ["AAPL"]


def connections(client: redis.Redis) -> set[str]:
    """The ids of the connections to Redis."""
    return {one["id"] for one in client.client_list()}
