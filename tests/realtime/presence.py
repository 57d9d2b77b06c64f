"""Server processes for tests of who is connected: a hub each, in an event loop and a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import pytest
import redis
from django.utils import timezone

from realtime import batches, healing, presence
from realtime.batches import Update
from realtime.connection import Connection, Peer
from realtime.hub import Hub
from realtime.recent import Recent
from realtime.terms import PLAIN, Terms
from realtime.wire import Listener, payload_of
from tests.stack import eventually

T = TypeVar("T")
_numbers = itertools.count(1)


class Client:
    """A socket as its hub sees it, and what was written to it."""

    is_blocked = False

    def __init__(self, listener: Listener) -> None:
        self.got: list[bytes] = []
        self.closed_with: tuple[int, str] | None = None
        self.listener = listener

    def write(self, framed: bytes) -> None:
        self.got.append(payload_of(framed))

    def close(self, code: int, reason: str, last: bytes = b"") -> None:
        if last:
            self.write(last)
        self.closed_with = (code, reason)

    @property
    def last_code(self) -> str:
        """The code of the last frame, an error."""
        code: str = json.loads(self.got[-1])["code"]
        return code


class Served:
    """A server process. What touches its hub runs in its thread."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _live(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self.hub = Hub(memory=10)
        self.hub.start()
        await self.hub.joined.wait()
        self._ready.set()
        await self._over.wait()
        await presence.stop_current()
        await self.hub.stop()

    def run(self, function: Callable[[], T]) -> T:
        """What `function` returns in the thread of the hub."""

        async def call() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    def connect(
        self,
        *symbols: str,
        name: str = "",
        account_id: int | None = None,
        address: str = "203.0.113.7",
        agent: str = "tests",
        terms: Terms = PLAIN,
    ) -> tuple[str, Client]:
        """Somebody connects; the id and the socket."""

        def open_() -> tuple[str, Client]:
            made: list[Client] = []

            def reach(listener: Listener) -> Client:
                made.append(Client(listener))
                return made[0]

            id_ = f"{next(_numbers):032x}"
            peer = Peer(address, agent, timezone.now(), name, account_id)
            connection = Connection(id_, peer, alarms=self.hub.alarms, lag=self.hub.lag, reach=reach)
            self.hub.add(connection)
            self.hub.subscribe(connection, symbols, terms)
            return id_, made[0]

        return self.run(open_)

    def stall(self, client: Client, *updates: Update) -> None:
        """The client takes nothing more while `updates` come."""

        def tell() -> None:
            assert isinstance(client.listener, Connection)
            client.listener.on_blocked()
            for update in updates:
                client.listener.deliver(update, b"", self.hub.alarms.now())

        self.run(tell)

    def end(self) -> None:
        """Take it down."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)


@contextlib.contextmanager
def serving(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Served]]:
    """`number` processes that have joined the group; their memory is empty."""

    async def fill(recent: Recent, *, most: int) -> None:
        return None

    monkeypatch.setattr(healing, "fill", fill)
    with contextlib.ExitStack() as held:
        served = []
        for _ in range(number):
            served.append(Served())
            held.callback(served[-1].end)
        yield served


@contextlib.contextmanager
def deaf(client: redis.Redis) -> Iterator[None]:
    """One more process that has joined the group, and answers nothing."""
    with cast(Any, client).pubsub() as joined:
        joined.subscribe(f"pgw:layer:__group__{batches.GROUP}")
        eventually(lambda: joined.get_message() is not None)
        yield


def update(seq: int, age_s: float = 0.0) -> Update:
    """One that was published some time ago."""
    published_us = time.time_ns() // 1000 - round(age_s * 1_000_000)
    return Update("AAPL", seq, "1a", b"{}", 0.5, 1.0, published_us, published_us)
