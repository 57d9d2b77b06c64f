"""Values of Redis on the event loop: one write for all, decoded once, and never an old one for a new one."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis

from gateway_project import embedded
from observability import remembered_reads
from observability.outages import Outage
from observability.redis_link import RedisUnavailable
from observability.remembered_reads import RememberedReads
from tests.servers import running_valkey

NAME = "remembered tests"


class Word:
    """A decoded value."""

    def __init__(self, key: str, text: str) -> None:
        self.key = key
        self.text = text


class Decoder:
    """Makes words of everything but `junk`, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    def __call__(self, key: str, value: bytes) -> Word | None:
        """As `RememberedReads` calls it."""
        self.asked.append((key, value))
        return None if value == b"junk" else Word(key, value.decode())


@pytest.fixture
def decoder() -> Decoder:
    """It has not decoded anything yet."""
    return Decoder()


@pytest.fixture
def outage() -> Outage:
    """That of the store of the same values."""
    return Outage("Redis (tests)")


@pytest.fixture
async def reads(
    redis_client: redis.Redis, decoder: Decoder, outage: Outage
) -> AsyncIterator[RememberedReads[Word]]:
    """Reads of this process's Valkey, emptied."""
    async with reading(os.environ["REDIS_URL"], decoder, outage) as made:
        yield made


@contextlib.asynccontextmanager
async def reading(url: str, decoder: Decoder, outage: Outage) -> AsyncIterator[RememberedReads[Word]]:
    """Reads of the Redis of `url`."""
    made = RememberedReads(url, name=NAME, outage=outage, decode=decoder)
    try:
        yield made
    finally:
        await made.close()


def texts(found: list[Word | None]) -> list[str | None]:
    """What the values say."""
    return [None if one is None else one.text for one in found]


async def test_every_key_gets_its_value_in_the_order_of_the_keys_and_none_where_there_is_none(
    redis_client: redis.Redis, reads: RememberedReads[Word]
) -> None:
    redis_client.mset({"a": "one", "b": "two", "empty": ""})
    assert texts(await reads.get(["b", "missing", "a", "b", "empty"])) == ["two", None, "one", "two", ""]
    [found] = await reads.get(["a"])
    assert found is not None
    assert found.key == "a"


async def test_many_keys_are_read_by_one_mget(
    redis_client: redis.Redis, reads: RememberedReads[Word]
) -> None:
    redis_client.set("a", "one")
    redis_client.config_resetstat()
    await reads.get(["a", *(f"k{number}" for number in range(99))])
    stats: Any = redis_client.info("commandstats")
    assert stats["cmdstat_mget"]["calls"] == 1
    assert "cmdstat_get" not in stats


async def test_all_who_read_at_once_get_their_own_values(
    redis_client: redis.Redis, reads: RememberedReads[Word]
) -> None:
    redis_client.mset({f"k{number}": f"v{number}" for number in range(50)})
    found = await asyncio.gather(*(reads.get([f"k{number}", "none"]) for number in range(50)))
    assert [texts(one) for one in found] == [[f"v{number}", None] for number in range(50)]
    clients = redis_client.client_list()
    assert [one["name"] for one in clients].count("prediction-gateway-remembered-tests") == 1


async def test_what_has_not_changed_is_decoded_once_and_is_the_same_object(
    redis_client: redis.Redis, reads: RememberedReads[Word], decoder: Decoder
) -> None:
    redis_client.mset({"a": "one", "b": "two"})
    first = await reads.get(["a", "b", "a"])
    again = await reads.get(["b", "a"])
    assert decoder.asked == [("a", b"one"), ("b", b"two")]
    assert first[0] is first[2] is again[1]
    assert first[1] is again[0]


async def test_what_has_changed_is_decoded_again(
    redis_client: redis.Redis, reads: RememberedReads[Word], decoder: Decoder
) -> None:
    seen = []
    for value in ("one", "two", "two", "one"):
        redis_client.set("a", value)
        seen += texts(await reads.get(["a"]))
    assert seen == ["one", "two", "two", "one"]
    assert [value for _, value in decoder.asked] == [b"one", b"two", b"one"]


async def test_the_same_value_under_two_keys_is_decoded_for_each(
    redis_client: redis.Redis, reads: RememberedReads[Word], decoder: Decoder
) -> None:
    redis_client.mset({"a": "same", "b": "same"})
    first, second = await reads.get(["a", "b"])
    assert first is not None
    assert second is not None
    assert (first.key, second.key) == ("a", "b")
    assert decoder.asked == [("a", b"same"), ("b", b"same")]


async def test_a_value_that_is_gone_is_missed_and_one_that_comes_back_is_found(
    redis_client: redis.Redis, reads: RememberedReads[Word]
) -> None:
    redis_client.set("a", "one")
    assert texts(await reads.get(["a"])) == ["one"]
    redis_client.delete("a")
    assert await reads.get(["a"]) == [None]
    redis_client.set("a", "one")
    assert texts(await reads.get(["a"])) == ["one"]


async def test_what_cannot_be_decoded_counts_as_missing_and_is_looked_at_once(
    redis_client: redis.Redis, reads: RememberedReads[Word], decoder: Decoder
) -> None:
    redis_client.set("a", "junk")
    assert await reads.get(["a"]) == await reads.get(["a"]) == [None]
    assert decoder.asked == [("a", b"junk")]
    redis_client.set("a", "one")
    assert texts(await reads.get(["a"])) == ["one"]


async def test_what_is_no_text_in_redis_counts_as_missing(
    redis_client: redis.Redis, reads: RememberedReads[Word]
) -> None:
    redis_client.rpush("list", "one")
    redis_client.set("a", "one")
    assert texts(await reads.get(["list", "a"])) == [None, "one"]


async def test_what_is_remembered_is_bounded(
    redis_client: redis.Redis,
    reads: RememberedReads[Word],
    decoder: Decoder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembered_reads, "_MOST", 3)
    redis_client.mset({f"k{number}": f"v{number}" for number in range(10)})
    wanted = [f"k{number}" for number in range(10)]
    for _ in range(2):
        assert texts(await reads.get(wanted)) == [f"v{number}" for number in range(10)]
        assert len(reads._seen) <= 3
    await reads.get(wanted[-1:])
    assert len(decoder.asked) == 20


async def test_a_redis_that_is_away_is_told_and_is_away_for_all_who_share_the_outage(
    decoder: Decoder, outage: Outage
) -> None:
    async with reading(f"redis://127.0.0.1:{embedded.free_port()}", decoder, outage) as reads:
        for _ in range(2):  # the second time it is not even tried
            with pytest.raises(RedisUnavailable):
                await reads.get(["a"])
    assert outage.ongoing
    assert decoder.asked == []


async def test_a_redis_that_another_has_found_to_be_away_is_not_tried(
    redis_client: redis.Redis, reads: RememberedReads[Word], outage: Outage
) -> None:
    redis_client.set("a", "one")
    outage.failed(ConnectionError("refused"))
    with pytest.raises(RedisUnavailable):
        await reads.get(["a"])
    outage.succeeded()
    assert texts(await reads.get(["a"])) == ["one"]


async def test_a_redis_that_answers_with_an_error_is_as_good_as_away(
    decoder: Decoder, outage: Outage
) -> None:
    with running_valkey() as server, contextlib.closing(redis.Redis.from_url(server.url)) as admin:
        admin.acl_setuser("ann", enabled=True, passwords="+secret", keys=["*"], commands=["+@all", "-mget"])
        url = server.url.replace("redis://", "redis://ann:secret@")
        async with reading(url, decoder, outage) as reads:
            with pytest.raises(RedisUnavailable, match="no permissions"):
                await reads.get(["a"])
            admin.set("a", "one")
            admin.acl_setuser("ann", enabled=True, keys=["*"], commands=["+@all"])
            assert texts(await reads.get(["a"])) == ["one"]  # the connection is as good as before


async def test_what_was_remembered_before_redis_went_away_is_not_an_answer(
    decoder: Decoder, outage: Outage
) -> None:
    with running_valkey() as server, contextlib.closing(redis.Redis.from_url(server.url)) as client:
        client.set("a", "one")
        async with reading(server.url, decoder, outage) as reads:
            assert texts(await reads.get(["a"])) == ["one"]
            server.kill()
            with pytest.raises(RedisUnavailable):
                await reads.get(["a"])
