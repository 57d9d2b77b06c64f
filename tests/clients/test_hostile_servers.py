"""The Python client against servers that mean it no good: they say nothing, too slowly, or too much."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from websockets.sync.server import ServerConnection, serve

from prediction_gateway import AsyncClient, Client, ConnectionFailedError, Disconnected

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
    with Client(mute, timeout_s=PATIENCE_S) as client:
        stream = client.stream(["AAPL"], give_up_after_s=PATIENCE_S + 0.1)
        gone = next(stream)
        assert isinstance(gone, Disconnected)
        assert (gone.code, gone.reason) == (None, "no welcome in time")
        with pytest.raises(ConnectionFailedError, match="no welcome in time"):
            next(stream)


async def test_an_asynchronous_stream_that_is_not_welcomed_is_left(mute: str) -> None:
    async with AsyncClient(mute, timeout_s=PATIENCE_S) as client:
        stream = client.stream(["AAPL"], give_up_after_s=PATIENCE_S + 0.1)
        gone = await anext(stream)
        assert isinstance(gone, Disconnected)
        assert (gone.code, gone.reason) == (None, "no welcome in time")
        with pytest.raises(ConnectionFailedError, match="no welcome in time"):
            await anext(stream)
