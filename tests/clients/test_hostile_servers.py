"""The Python client against servers that mean it no good: they say nothing, too slowly, or too much."""

from __future__ import annotations

import contextlib
import json
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.sync.server import ServerConnection, serve

from prediction_gateway import ApiError, AsyncClient, Client, ConnectionFailedError, Disconnected
from prediction_gateway.command.main import main

PATIENCE_S = 0.3


@pytest.fixture
def mute() -> Iterator[str]:
    """A server that opens every WebSocket, answers its pings, tells unknown things, and welcomes nobody."""

    def hold(socket: ServerConnection) -> None:
        socket.send('{"type": "news_of_2030"}')
        for _ in socket:
            pass

    with serve(hold, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def test_a_stream_that_is_not_welcomed_is_left(mute: str) -> None:
    with Client(mute, "pgw_test_key", timeout_s=PATIENCE_S) as client:
        stream = client.stream(["AAPL"], give_up_after_s=PATIENCE_S + 0.1)
        gone = next(stream)
        assert isinstance(gone, Disconnected)
        assert (gone.code, gone.reason) == (None, "no welcome in time")
        with pytest.raises(ConnectionFailedError, match="no welcome in time"):
            next(stream)


async def test_an_asynchronous_stream_that_is_not_welcomed_is_left(mute: str) -> None:
    async with AsyncClient(mute, "pgw_test_key", timeout_s=PATIENCE_S) as client:
        stream = client.stream(["AAPL"], give_up_after_s=PATIENCE_S + 0.1)
        gone = await anext(stream)
        assert isinstance(gone, Disconnected)
        assert (gone.code, gone.reason) == (None, "no welcome in time")
        with pytest.raises(ConnectionFailedError, match="no welcome in time"):
            await anext(stream)


Talk = Callable[[sockets.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\n\r\n"


@contextlib.contextmanager
def raw(talk: Talk) -> Iterator[str]:
    """The address of a server that says to each request what `talk` sends, until the other side has gone."""
    stopped = threading.Event()

    def answer() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(65_536)
                talk(connection)

    with sockets.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            stopped.set()
            thread.join()


def drip(start: bytes) -> Talk:
    """`start`, and then a byte each 20 ms: no single read takes long."""

    def talk(connection: sockets.socket) -> None:
        connection.sendall(start)
        for _ in range(500):
            time.sleep(0.02)
            connection.sendall(b"x")

    return talk


def pour(connection: sockets.socket) -> None:
    """More than anybody wants, as fast as it goes."""
    connection.sendall(HEAD)
    for _ in range(1000):
        connection.sendall(b" " * 1_000_000)


async def test_an_answer_that_drips_ends_with_the_attempt() -> None:
    with raw(drip(HEAD)) as url:
        began_s = time.monotonic()
        with Client(url, timeout_s=PATIENCE_S, retries=0) as client, pytest.raises(ConnectionFailedError):
            client.version()
        async with AsyncClient(url, timeout_s=PATIENCE_S, retries=0) as other:
            with pytest.raises(ConnectionFailedError):
                await other.version()
        assert time.monotonic() - began_s < 10 * PATIENCE_S


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    with raw(pour) as url:
        with Client(url) as client, pytest.raises(ApiError, match="longer than 32 MiB"):
            client.version()
        async with AsyncClient(url) as other:
            with pytest.raises(ApiError, match="longer than 32 MiB"):
                await other.version()


def test_pgw_shows_the_escapes_of_a_server_and_does_not_pass_them_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.dumps({"error": "X\x1b[2J", "detail": "\x9b31m\npgw: all is well"}).encode()
    head = b"HTTP/1.1 404 No\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n"
    monkeypatch.delenv("PGW_API_KEY", raising=False)
    with raw(lambda connection: connection.sendall(head + body)) as url:
        assert main(["get", "AAPL", "--url", url]) == 1
    said = capsys.readouterr().err
    assert said == r"pgw: 404 X\x1b[2J: \x9b31m\npgw: all is well" + "\n"
