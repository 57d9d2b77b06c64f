"""Messages that are made to stop the bridge: each costs itself only."""

from __future__ import annotations

import asyncio
import hashlib
import json

import pytest
import redis

from events import connection, streams
from tests.stack import Stack, event, eventually, numbered, receive


def publish_raw(stack: Stack, payload: bytes, headers: dict[str, str] | None = None) -> None:
    """Publish to the letter."""

    async def run() -> None:
        opened = await connection.connect(stack.nats.url, name="tests")
        try:
            await opened.jetstream.publish(streams.PREDICTION_UPDATED, payload, headers=headers or None)
        finally:
            await opened.drain()

    asyncio.run(run())


def delete_stream(stack: Stack, name: str) -> None:
    """As an operator's mistake."""

    async def run() -> None:
        opened = await connection.connect(stack.nats.url, name="tests")
        try:
            await opened.jetstream.delete_stream(name)
        finally:
            await opened.drain()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("payload", "headers"),
    [
        (b"junk", {"Nats-Expected-Stream": "PREDICTIONS"}),
        (b"junk", {"X-Long": "x" * 50_000}),
        (b"", {"Status": "503"}),
        (b"", {"Status": "100"}),
        (b"x" * 1_000_000, {"X-Some": "header"}),
        (b"x" * 1_048_576, {}),
    ],
)
def test_it_is_buried_and_what_comes_after_is_served(
    stack: Stack, symbol: str, payload: bytes, headers: dict[str, str]
) -> None:
    publish_raw(stack, payload, headers)
    stack.publish(event(symbol))
    eventually(lambda: stack.count_rows(symbol) == 1)
    eventually(lambda: any(letter == payload[: 256 * 1024] for letter in stack.dead_letters()))
    eventually(stack.is_idle)


def test_the_dead_letters_are_made_anew_where_they_were_deleted(own_stack: Stack, symbol: str) -> None:
    own_stack.start_bridge()
    delete_stream(own_stack, streams.DEAD_LETTERS.name)
    own_stack.publish(b"junk", event(symbol))
    eventually(lambda: own_stack.count_rows(symbol) == 1)
    eventually(lambda: b"junk" in own_stack.dead_letters())


def test_a_large_payload_is_cut_and_told_by_its_digest() -> None:
    from events import dead_letters

    data = b"x" * 300_000
    told = dead_letters._told(data, "why")
    assert told[streams.DEAD_LETTER_BYTES_HEADER] == "300000"
    assert told[streams.DEAD_LETTER_SHA256_HEADER] == hashlib.sha256(data).hexdigest()


def test_a_stream_made_anew_under_waiting_messages_does_not_silence_the_sockets(
    own_stack: Stack, symbol: str
) -> None:
    own_stack.environ["BRIDGE_BATCH_SIZE"] = "20"
    own_stack.start_bridge()
    own_stack.start_web()
    with own_stack.socket(symbol, mode="latest", interval_ms=50) as socket:
        own_stack.redis.freeze()
        own_stack.publish(*numbered(symbol, 200))
        eventually(lambda: own_stack.count_rows(symbol) > 0)
        delete_stream(own_stack, streams.PREDICTIONS.name)
        own_stack.redis.thaw()
        own_stack.publish(event(symbol, predicted_price=7777.0))
        eventually(lambda: receive(socket).get("predicted_price") == 7777.0)
    eventually(own_stack.is_idle)


def test_a_redis_key_of_another_type_is_replaced(stack: Stack, symbol: str) -> None:
    with redis.Redis.from_url(stack.redis.url) as client:
        client.lpush(f"pred:{symbol}", "not a string")
        stack.publish(event(symbol, predicted_price=3.0))
        eventually(lambda: stack.read(symbol).get("predicted_price") == 3.0)
        assert client.type(f"pred:{symbol}") == b"string"


def test_junk_on_the_channel_layer_does_not_end_the_live_flow(stack: Stack, symbol: str) -> None:
    group = "pgw:layer:__group__predictions"
    with stack.socket(symbol) as socket, redis.Redis.from_url(stack.redis.url) as client:
        for junk in (b"\xc1 no msgpack", json.dumps({"type": "predictions.batch"}).encode()):
            assert client.publish(group, junk) >= 1
        stack.publish(event(symbol, predicted_price=4.0))
        assert receive(socket)["predicted_price"] == 4.0
