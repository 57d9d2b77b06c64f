"""The newest explanations in Redis, read on the event loop: what the views read, decoded once a change."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import msgspec
import pytest
import redis
from pytest_django import Settings

from events.explanations import DEPTHS, Depth
from explanations import answers, documents, store, stored
from explanations.documents import ExplanationDocument
from explanations.store import ExplanationStore, StoreUnavailable
from gateway_project import embedded
from observability.redis_link import RedisUnavailable
from predictions import rendering
from tests.explanations import explained
from tests.explanations.orderers import NOW
from tests.stack import eventually


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    """The loop's connection ends with the test."""
    yield
    await stored.stop_current()


@pytest.fixture
def held(redis_client: redis.Redis) -> ExplanationStore:
    """The process's store on an empty Valkey."""
    return store.store()


def document(symbol: str = "AAPL", depth: Depth = "fast", *, minute: int = 0) -> ExplanationDocument:
    """An explanation that was made in that minute, of a prediction of the same time."""
    at = NOW + timedelta(minutes=minute)
    return explained.document(at=at, generated_at=at, depth=depth, symbol=symbol)


async def job_of(symbol: str, depth: str | None) -> uuid.UUID | None:
    """Which job has made the explanation that is found."""
    found = await stored.get(symbol, depth)
    return None if found is None else uuid.UUID(msgspec.json.decode(found.body.plain)["job_id"])


async def test_the_newest_of_a_depth_and_of_any_are_found(held: ExplanationStore) -> None:
    fast, deep = document(minute=1), document(depth="deep")
    held.put([deep, fast])
    assert await job_of("AAPL", None) == await job_of("AAPL", "fast") == fast.job_id
    assert await job_of("AAPL", "deep") == deep.job_id
    assert await job_of("AAPL", "medium") is None
    assert await job_of("MSFT", None) is None


@pytest.mark.parametrize("depth", [None, *DEPTHS])
async def test_it_is_the_answer_that_a_view_would_give(held: ExplanationStore, depth: str | None) -> None:
    held.put([document(depth=one, minute=minute) for minute, one in enumerate(DEPTHS)])
    expected = held.get("AAPL", depth)
    found = await stored.get("AAPL", depth)
    assert expected is not None
    assert found is not None
    assert found.body.plain == rendering.encode(expected)
    assert found.tag == answers.etag(expected.job_id)


async def test_what_has_not_changed_is_made_ready_and_compressed_once(held: ExplanationStore) -> None:
    long = document()
    long = msgspec.structs.replace(long, summary="It goes on as it did. " * 100)
    held.put([long])
    first, again = await stored.get("AAPL", None), await stored.get("AAPL", None)
    assert first is not None
    assert again is first
    compressed = first.body.compressed()
    assert compressed is not None
    assert gzip.decompress(compressed) == rendering.encode(long)
    assert first.body.compressed() is compressed


async def test_a_newer_one_is_found_at_the_next_read(held: ExplanationStore) -> None:
    old, new, late = document(minute=0), document(minute=2), document(minute=1)
    seen = []
    for one in (old, new, late):
        held.put([one])
        seen.append(await job_of("AAPL", None))
    assert seen == [old.job_id, new.job_id, new.job_id]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("explanation:AAPL", b"{"),
        ("explanation:AAPL", b"[]"),
        ("explanation:AAPL", b"\xff"),
        ("explanation:AAPL", b""),
        ("explanation:AAPL", documents.encode(document("MSFT"))),
        ("explanation:AAPL:deep", documents.encode(document())),
    ],
    ids=["cut", "list", "no UTF-8", "empty", "another symbol", "another depth"],
)
async def test_what_cannot_be_read_or_is_of_something_else_counts_as_missing(
    redis_client: redis.Redis, key: str, value: bytes
) -> None:
    redis_client.set(key, value)
    assert await stored.get(*store.subject_of(key)) is None


async def test_what_cannot_be_read_is_told_once(
    redis_client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis_client.set("explanation:AAPL:deep", b"{")
    with caplog.at_level(logging.WARNING, logger="explanations.store"):
        for _ in range(3):
            await stored.get("AAPL", "deep")
    assert [one.getMessage().partition(" in ")[0] for one in caplog.records] == [
        "ignoring explanation:AAPL:deep"
    ]


@pytest.mark.parametrize("depth", [None, *DEPTHS])
def test_a_key_tells_symbol_and_depth(depth: str | None) -> None:
    assert store.subject_of(store.key_of("AAPL", depth)) == ("AAPL", depth)


@pytest.fixture
def away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExplanationStore]:
    """The store of a process whose Redis does not answer."""
    url = f"redis://127.0.0.1:{embedded.free_port()}"
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url=url)
    made = ExplanationStore(url, connections=2)
    monkeypatch.setattr(store, "store", lambda: made)
    yield made
    made.close()


async def test_a_redis_that_is_away_is_told_and_the_store_knows_of_it(away: ExplanationStore) -> None:
    with pytest.raises(RedisUnavailable):
        await stored.get("AAPL", None)
    assert away.outage.ongoing


async def test_a_redis_that_the_store_has_found_to_be_away_is_not_tried(
    away: ExplanationStore, settings: Settings, redis_client: redis.Redis
) -> None:
    with pytest.raises(StoreUnavailable):
        away.get("AAPL", None)
    url = os.environ["REDIS_URL"]  # it is there, but who asks would have to wait for that
    settings.GATEWAY = msgspec.structs.replace(settings.GATEWAY, redis_url=url)
    with pytest.raises(RedisUnavailable):
        await stored.get("AAPL", None)
    away.outage.succeeded()
    assert await stored.get("AAPL", None) is None


async def test_all_readers_of_a_loop_share_a_connection_until_it_is_stopped(
    held: ExplanationStore, redis_client: redis.Redis
) -> None:
    held.put([document()])
    await stored.stop_current()  # there is none yet
    before = connections(redis_client)
    found = await asyncio.gather(*(stored.get("AAPL", None) for _ in range(20)))
    assert None not in found
    [added] = connections(redis_client) - before
    await stored.stop_current()
    await asyncio.to_thread(eventually, lambda: added not in connections(redis_client))
    assert await stored.get("AAPL", None) is not None


def connections(client: redis.Redis) -> set[str]:
    """The ids of the connections to Redis."""
    return {one["id"] for one in client.client_list()}
