"""Connections of TLS belong to their acceptor until the handshake is over, also when it stops meanwhile."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from gateway_project import accepting, embedded, tls
from gateway_project.accepting import Acceptor
from tests.gateway_project import certificates
from tests.loops import on_uvloop


@pytest.fixture
def contexts(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """That of a server, and that of a client who trusts it."""
    made = certificates.make(tmp_path)
    return tls.load(*map(str, made)), ssl.create_default_context(cafile=str(made.certificate))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Nobody but an acceptor listens there."""
    with socket.create_server((embedded.LOOPBACK, 0)) as made:
        yield made


def call(context: ssl.SSLContext, opened: socket.socket) -> bytes:
    """What a client is told."""
    with context.wrap_socket(opened, server_hostname="localhost") as secure:
        secure.sendall(b"who is there?")
        return secure.recv(100)


class Greeting(asyncio.Protocol):
    """Says that it is there, when asked."""

    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"hello")
        self._transport.close()


async def taken(acceptor: Acceptor) -> None:
    """Whoever has connected is."""
    while not acceptor._attaching:  # noqa: ASYNC110 - an acceptor tells nobody
        await asyncio.sleep(0)


@on_uvloop
async def test_whoever_is_in_the_middle_of_a_handshake_gets_through(
    listener: socket.socket, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    acceptor = Acceptor(listener, Greeting, contexts[0])
    opened = socket.create_connection(listener.getsockname(), timeout=60)
    await taken(acceptor)
    stopping = asyncio.create_task(acceptor.stop())
    await asyncio.sleep(0)
    assert await asyncio.to_thread(call, contexts[1], opened) == b"hello"
    await stopping


@on_uvloop
async def test_whoever_says_nothing_holds_nobody_up(
    listener: socket.socket,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting, "_LAST_HANDSHAKES_S", 0.1)
    acceptor = Acceptor(listener, Greeting, contexts[0])
    with socket.create_connection(listener.getsockname(), timeout=60):
        await taken(acceptor)
        async with asyncio.timeout(2):
            await acceptor.stop()
    await asyncio.gather(*acceptor._attaching)


@on_uvloop
async def test_a_handshake_has_a_bound(
    listener: socket.socket,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accepting, "HANDSHAKE_WITHIN_S", 0.1)
    acceptor = Acceptor(listener, Greeting, contexts[0])
    with socket.create_connection(listener.getsockname(), timeout=60) as opened:
        assert await asyncio.to_thread(opened.recv, 100) == b""
    await acceptor.stop()


@on_uvloop
async def test_without_descriptors_it_rests_and_goes_on(
    listener: socket.socket,
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    acceptor = Acceptor(listener, Greeting, contexts[0])
    opened = socket.create_connection(listener.getsockname(), timeout=60)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        acceptor._accept()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert acceptor._rest is not None
    assert await asyncio.to_thread(call, contexts[1], opened) == b"hello"
    await acceptor.stop()
