"""FastAPI with the connection manager of its documentation, fed by Redis pub/sub: ``PORT REDIS_URL``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import defaultdict
from collections.abc import AsyncIterator

import redis.asyncio
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect  # type: ignore[import-not-found]

CHANNELS = "predictions.*"
HEARTBEAT_S = 15


class ConnectionManager:
    """Who is subscribed to what."""

    def __init__(self) -> None:
        self._sockets: defaultdict[str, set[WebSocket]] = defaultdict(set)

    def subscribe(self, socket: WebSocket, symbols: list[str]) -> None:
        """From now on `socket` gets the updates of `symbols`."""
        for symbol in symbols:
            self._sockets[symbol].add(socket)

    def remove(self, socket: WebSocket, symbols: set[str]) -> None:
        """Forget a socket that is gone."""
        for symbol in symbols:
            self._sockets[symbol].discard(socket)

    async def broadcast(self, symbol: str, text: str) -> None:
        """Send `text` to every subscriber.

        One after the other: `gather` would make a task for each of ten thousand sends, and a send to a
        healthy socket does not wait. The price is that one slow reader holds all the others up.
        """
        for socket in list(self._sockets[symbol]):
            # Gone between the copy and the send; its own handler removes it.
            with contextlib.suppress(WebSocketDisconnect, RuntimeError):
                await socket.send_text(text)


manager = ConnectionManager()


async def relay(url: str) -> None:
    """Send on what is published; the channel names the symbol, so no message is parsed."""
    async with redis.asyncio.from_url(url, decode_responses=True) as client, client.pubsub() as pubsub:
        await pubsub.psubscribe(CHANNELS)
        async for message in pubsub.listen():
            if message["type"] == "pmessage":
                await manager.broadcast(message["channel"].partition(".")[2], message["data"])


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Relay while the server runs."""
    relaying = asyncio.create_task(relay(sys.argv[2]))
    yield
    relaying.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws/predictions")  # type: ignore[untyped-decorator]
async def predictions(socket: WebSocket) -> None:
    """One socket."""
    await socket.accept()
    await socket.send_text('{"type":"welcome"}')
    mine: set[str] = set()
    try:
        while True:
            symbols = json.loads(await socket.receive_text())["symbols"]
            mine.update(symbols)
            manager.subscribe(socket, symbols)
            await socket.send_text(
                json.dumps({"type": "subscribed", "symbols": symbols}, separators=(",", ":"))
            )
    except WebSocketDisconnect:
        pass
    finally:
        manager.remove(socket, mine)


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        # The implementation and the settings that cost least here: deflate takes 37 KB a socket.
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        ws_ping_interval=HEARTBEAT_S,
        ws_ping_timeout=HEARTBEAT_S,
        backlog=2048,
        log_level="warning",
        access_log=False,
    )
