"""Those who connect together are taken together, however busy the event loop is."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

from gateway_project import embedded
from gateway_project.accepting import Acceptor
from tests.loops import on_uvloop


class World:
    """An acceptor beside a server of the loop, as in a server process, and those who connect."""

    def __init__(self) -> None:
        self.listener = socket.create_server((embedded.LOOPBACK, 0), backlog=1024)
        self.listener.setblocking(False)
        self.there: list[asyncio.Transport] = []
        self.acceptor = Acceptor(self.listener, lambda: Greeting(self.there))
        self.clients: list[socket.socket] = []

    def connect(self, number: int) -> None:
        """So many come; the kernel answers them, whether anybody accepts or not."""
        address = self.listener.getsockname()
        self.clients += [socket.create_connection(address, timeout=60) for _ in range(number)]

    async def all_there(self) -> int:
        """How many turns of the loop it takes until they are with their protocols."""
        turns = 0
        while len(self.there) < len(self.clients):
            await asyncio.sleep(0)
            turns += 1
        return turns


class Greeting(asyncio.Protocol):
    """Says that it is there."""

    def __init__(self, there: list[asyncio.Transport]) -> None:
        self._there = there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast(asyncio.Transport, transport)
        self._there.append(made)
        made.write(b"hello")


@contextlib.asynccontextmanager
async def accepting() -> AsyncIterator[World]:
    """A world that is closed again."""
    world = World()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Greeting(world.there), sock=world.listener, backlog=1024)
    try:
        yield world
        await world.acceptor.stop()
    finally:
        for client in world.clients:
            client.close()
        for transport in world.there:
            transport.abort()
        server.close()
        world.listener.close()
        await server.wait_closed()


@on_uvloop
async def test_those_who_come_together_are_there_within_a_few_turns() -> None:
    async with accepting() as world:
        world.connect(200)
        assert await world.all_there() <= 20
        assert all(client.recv(5) == b"hello" for client in world.clients)


@on_uvloop
async def test_whoever_was_taken_is_with_its_protocol_when_it_has_stopped() -> None:
    async with accepting() as world:
        world.connect(50)
        world.acceptor._accept()
    assert len(world.there) == 50


@on_uvloop
async def test_whoever_has_gone_again_costs_the_others_nothing() -> None:
    async with accepting() as world:
        world.connect(20)
        for client in world.clients[::2]:
            client.close()
        await world.all_there()
        assert all(client.recv(5) == b"hello" for client in world.clients[1::2])


@on_uvloop
async def test_where_descriptors_have_run_out_it_goes_on_when_there_are_some_again() -> None:
    async with accepting() as world:
        world.connect(10)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            world.acceptor._accept()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert not world.acceptor._attaching
        await world.all_there()


def test_no_descriptor_is_left_behind() -> None:
    @on_uvloop
    async def once() -> None:
        async with accepting() as world:
            world.connect(5)
            await world.all_there()

    once()
    before = _descriptors()
    once()
    assert _descriptors() == before


def _descriptors() -> set[int]:
    return {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
