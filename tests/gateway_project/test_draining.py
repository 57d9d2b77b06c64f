"""How a server ends: what is queued, idle or under way is answered, WebSockets are drained, and in time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn

from gateway_project import draining, embedded, server, supervisor
from gateway_project.lifeline import Lifeline
from realtime import hub

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Served:
    """A server of an application that answers `/` at once and other paths when `may_answer` is set."""

    def __init__(self) -> None:
        self.listener = server.bind(embedded.LOOPBACK, 0)
        self.address: tuple[str, int] = self.listener.getsockname()
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.drain_seconds: float | None = None
        self._begun = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            self.answer, http=draining.HttpProtocol, lifespan="off", interface="asgi3", access_log=False
        )
        config.load()
        self.server = server.Server(config, None)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["path"] != "/":
            self.asked.set()
            await self.may_answer.wait()
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    async def drain(self, within_s: float) -> None:
        """In the place of the hub's."""
        self.drain_seconds = within_s
        self._begun.set()

    async def start(self) -> None:
        """As uvicorn does it."""
        self.server.lifespan = self.server.config.lifespan_class(self.server.config)
        await self.server.startup([self.listener])

    def end(self) -> asyncio.Task[None]:
        """Begin to shut down; the second time, what has begun already."""
        self._ending = self._ending or asyncio.create_task(self.server.shutdown([self.listener]))
        return self._ending

    async def drains(self) -> None:
        """Begin to shut down; returns when connections are being ended."""
        self.end()
        await self._begun.wait()
        await asyncio.sleep(0)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection that has had its first answer and is idle."""
        reader, writer = await asyncio.open_connection(*self.address)
        try:
            assert b"connection: close" not in await ask(reader, writer)
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes = GET) -> bytes:
    """The answer to `request`, which must be a 200; its headers."""
    writer.write(request)
    answer = await asyncio.wait_for(reader.readuntil(b"ok"), 60)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return answer.lower()


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    one = Served()
    monkeypatch.setattr(hub, "drain_current", one.drain)
    await one.start()
    yield one
    one.may_answer.set()
    await one.end()


async def test_who_waits_in_the_queue_of_the_kernel_is_answered(served: Served) -> None:
    with contextlib.ExitStack() as held:
        waiting = [held.enter_context(socket.create_connection(served.address)) for _ in range(50)]
        for one in waiting:
            one.sendall(GET)
        await served.end()
        for one in waiting:
            one.settimeout(5)
            answer = b"".join(iter(functools.partial(one.recv, 1000), b""))
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()


async def test_nobody_can_connect_once_the_drain_has_begun(served: Served) -> None:
    async with served.connected() as (reader, writer):
        await served.drains()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(served.address)
        await ask(reader, writer)


async def test_a_request_on_an_idle_connection_is_answered_and_ends_it(served: Served) -> None:
    async with served.connected() as (reader, writer):
        await served.drains()
        assert b"connection: close" in await ask(reader, writer)
        assert await reader.read() == b""


async def test_a_connection_that_stays_idle_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "IDLE_S", 0.1)
    async with served.connected() as (reader, _):
        await served.end()
        assert await asyncio.wait_for(reader.read(), 60) == b""


async def test_a_request_under_way_is_answered_and_ends_its_connection(served: Served) -> None:
    async with served.connected() as (reader, writer):
        asking = asyncio.create_task(ask(reader, writer, GET.replace(b"/", b"/slow", 1)))
        await served.asked.wait()
        await served.drains()
        served.may_answer.set()
        assert b"connection: close" in await asking
        assert await reader.read() == b""


async def test_websockets_get_most_of_the_grace(served: Served) -> None:
    await served.end()
    assert served.drain_seconds == server.DRAIN_S < server.GRACE_S


@pytest.mark.parametrize(("passed_s", "left_s"), [(0.0, 10), (0.2, 10), (7.5, 3), (9.5, 1), (12.0, 1)])
def test_what_is_under_way_gets_what_is_left_of_the_grace(passed_s: float, left_s: int) -> None:
    assert server.grace_left_s(passed_s) == left_s


def test_a_server_that_takes_its_time_ends_before_its_supervisor_loses_patience() -> None:
    assert server.grace_left_s(server.DRAIN_S) + server.DRAIN_S + 1 < supervisor.STOP_TIMEOUT_S


async def test_a_drain_that_fails_does_not_keep_the_server_from_ending(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(within_s: float) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(hub, "drain_current", fail)
    await served.end()
    assert "WebSockets could not be drained" in caplog.text


async def test_the_first_signal_drains_and_the_second_ends_at_once(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    served.server.handle_exit(signal.SIGTERM, None)
    assert (served.server.should_exit, ended) == (True, [])
    served.server.handle_exit(signal.SIGINT, None)
    assert ended == [130]


async def test_a_worker_leaves_the_second_signal_to_its_launcher(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    ours, theirs = socket.socketpair()
    worker = server.Server(served.server.config, Lifeline(theirs, 5))
    worker.handle_exit(signal.SIGTERM, None)
    worker.handle_exit(signal.SIGTERM, None)
    assert (worker.should_exit, ended) == (True, [])
    ours.close()
    theirs.close()
