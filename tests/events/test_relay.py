"""The outbox and its relay, on a real NATS and a real database: promised once, published for certain."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from events import connection, outbox, relay, streams
from events.models import OutboxMessage
from events.outbox import Outgoing
from events.relay import Relay
from observability import blocking
from tests.servers import Server

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

LATER = timedelta(seconds=relay.SWEEP_AFTER_S + 1)


def message() -> Outgoing:
    """A message that nobody has promised yet."""
    id_ = str(uuid.uuid4())
    return Outgoing(id_, streams.EXPLAIN, f'{{"job_id":"{id_}"}}'.encode(), {"X-Request-ID": "r-12345678"})


def promise(outgoing: Outgoing) -> None:
    """Promise it, as a view does."""
    with transaction.atomic():
        outbox.promise(outgoing, now=timezone.now())


async def ask(function: Any, *args: Any, **kwargs: Any) -> Any:
    """A synchronous call."""
    return await blocking.run(function, *args, **kwargs)


@pytest.fixture
async def running(nats_url: str) -> AsyncIterator[Relay]:
    """A relay to the test's NATS."""
    made = Relay(nats_url, streams.JOBS, name="tests")
    made.start()
    yield made
    await made.stop()


async def stored(url: str) -> list[tuple[str, bytes, str]]:
    """Id, payload and request id of every message in the stream."""
    opened = await connection.connect(url, name="tests")
    try:
        await connection.ensure_stream(opened.jetstream, streams.JOBS)
        info = await opened.jetstream.stream_info(streams.JOBS.name)
        found = []
        for seq in range(info.state.first_seq, info.state.last_seq + 1):
            kept = await opened.jetstream.get_msg(streams.JOBS.name, seq)
            headers = kept.headers or {}
            found.append((headers[streams.MSG_ID_HEADER], kept.data or b"", headers["X-Request-ID"]))
        return found
    finally:
        await opened.drain()


async def until(check: Any) -> Any:
    """The first true result of the asynchronous `check`."""
    async with asyncio.timeout(10):
        while True:
            if result := await check():
                return result
            await asyncio.sleep(0.02)


async def test_what_is_handed_over_is_published_at_once_and_noted(running: Relay, nats_url: str) -> None:
    one = message()
    await ask(promise, one)
    running.hand_over(one)
    places = await until(lambda: ask(outbox.places_of, [one.msg_id]))
    assert places[one.msg_id].seq == 1
    assert await stored(nats_url) == [(one.msg_id, one.payload, "r-12345678")]
    assert await running.sweep(timezone.now() + LATER) == 0
    assert await ask(outbox.oldest_unpublished) is None


async def test_what_was_not_handed_over_is_swept_up_after_a_while(running: Relay, nats_url: str) -> None:
    promised = [message() for _ in range(3)]
    for one in promised:
        await ask(promise, one)
    await until(lambda: _is_connected(running))
    assert await running.sweep(timezone.now()) == 0  # it may be on its way
    assert await running.sweep(timezone.now() + LATER) == 3
    assert [id_ for id_, _, _ in await stored(nats_url)] == [one.msg_id for one in promised]


async def _is_connected(running: Relay) -> bool:
    return running._connection is not None and running._connection.client.is_connected


async def test_a_message_that_is_published_twice_is_stored_once(running: Relay, nats_url: str) -> None:
    one = message()
    await ask(promise, one)
    for _ in range(3):
        running.hand_over(one)
    await until(lambda: ask(outbox.places_of, [one.msg_id]))
    await ask(outbox.forget_places, [one.msg_id])
    assert await running.sweep(timezone.now() + LATER) == 1
    assert len(await stored(nats_url)) == 1


async def test_while_nats_is_away_nothing_is_lost(nats_server: Server) -> None:
    running = Relay(nats_server.url, streams.JOBS, name="tests")
    running.start()
    await until(lambda: _is_connected(running))
    nats_server.kill()
    promised = [message() for _ in range(20)]
    for one in promised:
        await ask(promise, one)
        running.hand_over(one)
    assert await running.sweep(timezone.now() + LATER) == 0
    nats_server.start()

    async def swept() -> bool:
        await running.sweep(timezone.now() + LATER)
        return await ask(outbox.oldest_unpublished) is None

    await until(swept)
    assert {id_ for id_, _, _ in await stored(nats_server.url)} == {one.msg_id for one in promised}
    await running.stop()


async def test_a_stream_that_was_deleted_is_made_anew(running: Relay, nats_url: str) -> None:
    first, second = message(), message()
    await ask(promise, first)
    running.hand_over(first)
    old = (await until(lambda: ask(outbox.places_of, [first.msg_id])))[first.msg_id]
    opened = await connection.connect(nats_url, name="tests")
    await opened.jetstream.delete_stream(streams.JOBS.name)
    await opened.drain()
    await ask(promise, second)

    async def swept() -> bool:
        await running.sweep(timezone.now() + LATER)
        return bool(await ask(outbox.places_of, [second.msg_id]))

    await until(swept)
    new = (await ask(outbox.places_of, [second.msg_id]))[second.msg_id]
    assert new.epoch != old.epoch


def test_a_second_promise_changes_nothing_and_a_broken_transaction_promises_nothing() -> None:
    one = message()
    promise(one)
    promise(one)
    with pytest.raises(RuntimeError):
        _promise_and_fail()
    assert OutboxMessage.objects.count() == 1
    outbox.drop([one.msg_id])
    outbox.mark_published([outbox.Place(one.msg_id, "e", 1)], now=timezone.now())
    assert OutboxMessage.objects.count() == 0


def _promise_and_fail() -> None:
    with transaction.atomic():
        outbox.promise(message(), now=timezone.now())
        raise RuntimeError


def test_without_a_relay_handing_over_does_nothing() -> None:
    relay.hand_over(message())
    relay.tell("nobody", b"hears")
