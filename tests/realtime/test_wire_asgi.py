"""Frames go to the peer through any ASGI server without waiting for it: only one that blocks costs a task."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from realtime import wire
from realtime.wire import AsgiWire
from tests.realtime.peers import DEADLINE_S
from tests.realtime.test_wire import Ear, never


class Server:
    """An ASGI server: `send` waits while the write buffer is full, and fails when the peer is gone."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.writable = asyncio.Event()
        self.writable.set()
        self.failure: Exception | None = None
        self.cancelled: list[dict[str, Any]] = []
        self.gave_up = asyncio.Event()
        self.closed = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        """As ASGI has it."""
        try:
            while not self.writable.is_set():  # a server may wait more than once in one call
                await self.writable.wait()
        except asyncio.CancelledError:
            self.cancelled.append(message)
            self.gave_up.set()
            raise
        if self.failure is not None:
            raise self.failure
        self.got.append(message)
        if message["type"] == "websocket.close":
            self.closed.set()

    @property
    def texts(self) -> list[str]:
        """The texts that were sent."""
        return [message["text"] for message in self.got if message["type"] == "websocket.send"]

    async def until_closed(self) -> None:
        """Wait for the close."""
        async with asyncio.timeout(DEADLINE_S):
            await self.closed.wait()


@pytest.mark.parametrize("scope", [{}, {"extensions": {}}, {"extensions": {"websocket.http.response": {}}}])
def test_any_other_server_is_reached_through_send(scope: dict[str, Any]) -> None:
    assert isinstance(wire.wire_of(scope, never, Ear()), AsgiWire)


async def test_a_healthy_peer_is_written_to_without_a_task() -> None:
    server, ear = Server(), Ear()
    made = AsgiWire(server.send, ear)
    before = len(asyncio.all_tasks())
    for text in ("a", "é", "x" * 70_000):
        made.write(wire.frame(text.encode()))
    assert server.got == [{"type": "websocket.send", "text": text} for text in ("a", "é", "x" * 70_000)]
    assert (len(asyncio.all_tasks()), ear.heard, made.is_blocked) == (before, [], False)


async def test_a_send_that_waits_is_carried_on_and_the_listener_hears_of_both() -> None:
    server, ear = Server(), Ear()
    made = AsgiWire(server.send, ear)
    server.writable.clear()
    made.write(wire.frame(b"a"))
    assert (ear.heard, made.is_blocked, server.texts) == (["blocked"], True, [])
    server.writable.set()
    await ear.until("writable")
    assert (made.is_blocked, server.texts) == (False, ["a"])
    made.write(wire.frame(b"b"))
    assert server.texts == ["a", "b"]


async def test_a_send_may_wait_several_times() -> None:
    steps = [asyncio.Event() for _ in range(3)]
    sent: list[str] = []
    reached = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        for step in steps:
            reached.set()
            await step.wait()
            await asyncio.sleep(0)
        sent.append(message["text"])

    ear = Ear()
    made = AsgiWire(send, ear)
    made.write(wire.frame(b"a"))
    for step in steps:
        async with asyncio.timeout(DEADLINE_S):
            await reached.wait()
        assert (ear.heard, sent) == (["blocked"], [])
        reached.clear()
        step.set()
    await ear.until("writable")
    assert sent == ["a"]


FAILURES = [OSError("client disconnected"), RuntimeError("Unexpected ASGI message after close")]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_peer_that_is_gone_is_heard_of_at_the_next_write(failure: Exception) -> None:
    server, ear = Server(), Ear()
    server.failure = failure
    AsgiWire(server.send, ear).write(wire.frame(b"a"))
    assert ear.heard == ["lost"]


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_peer_that_goes_while_a_send_waits_is_heard_of_when_it_ends(failure: Exception) -> None:
    server, ear = Server(), Ear()
    made = AsgiWire(server.send, ear)
    server.writable.clear()
    made.write(wire.frame(b"a"))
    server.failure = failure
    server.writable.set()
    await ear.until("lost")
    assert ear.heard == ["blocked", "lost"]
    assert server.texts == []


async def test_the_close_comes_after_the_last_frame_and_ends_the_wire() -> None:
    server, ear = Server(), Ear()
    AsgiWire(server.send, ear).close(4401, "CREDENTIAL", wire.frame(b'{"why":1}'))
    assert server.texts == ['{"why":1}']
    await ear.until("lost")
    assert server.got[-1] == {"type": "websocket.close", "code": 4401, "reason": "CREDENTIAL"}


async def test_a_close_gives_up_the_send_that_waits_and_what_stands_behind_it() -> None:
    server, ear = Server(), Ear()
    made = AsgiWire(server.send, ear)
    server.writable.clear()
    made.write(wire.frame(b"a"))
    made.close(4503, "SLOW_READER", wire.frame(b"last"))
    async with asyncio.timeout(DEADLINE_S):
        await server.gave_up.wait()
    assert server.cancelled == [{"type": "websocket.send", "text": "a"}]
    server.writable.set()
    await server.until_closed()
    assert server.texts == []
    await ear.until("lost")
    assert "writable" not in ear.heard


async def test_a_close_that_the_peer_does_not_take_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_CLOSE_WITHIN_S", 0.01)
    server, ear = Server(), Ear()
    server.writable.clear()
    AsgiWire(server.send, ear).close(1012, "")
    await ear.until("lost")
    assert (server.got, len(server.cancelled)) == ([], 1)


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_close_of_a_peer_that_is_gone_is_no_failure(failure: Exception) -> None:
    server, ear = Server(), Ear()
    server.failure = failure
    AsgiWire(server.send, ear).close(1012, "", wire.frame(b"last"))
    await ear.until("lost")
    assert server.got == []


async def test_any_awaitable_that_send_returns_is_driven() -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    ear = Ear()

    def send(message: dict[str, Any]) -> Awaitable[None]:
        return done

    made = AsgiWire(send, ear)
    made.write(wire.frame(b"a"))
    assert made.is_blocked
    done.set_result(None)
    await ear.until("writable")
    assert not made.is_blocked
