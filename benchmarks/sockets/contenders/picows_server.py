"""A bare picows server, fed by Redis pub/sub: ``PORT REDIS_URL``. Close to what Python can do on one core."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict

import redis.asyncio
import uvloop
from picows import (  # type: ignore[import-not-found]
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeRequest,
    ws_create_server,
)

CHANNELS = "predictions.*"
HEARTBEAT_S = 15

transports: defaultdict[str, set[WSTransport]] = defaultdict(set)


class Listener(WSListener):  # type: ignore[misc]
    """One socket."""

    def __init__(self) -> None:
        self._mine: set[str] = set()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Welcome it."""
        transport.send(WSMsgType.TEXT, b'{"type":"welcome"}')

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Subscribe it, or close."""
        if frame.msg_type == WSMsgType.TEXT:
            symbols = json.loads(frame.get_payload_as_bytes())["symbols"]
            for symbol in symbols:
                transports[symbol].add(transport)
            self._mine.update(symbols)
            answer = json.dumps({"type": "subscribed", "symbols": symbols}, separators=(",", ":"))
            transport.send(WSMsgType.TEXT, answer.encode())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Forget it."""
        for symbol in self._mine:
            transports[symbol].discard(transport)


def framed(payload: bytes) -> bytes:
    """The whole text frame: a server masks nothing, so it is the same for every socket."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    return b"\x81\x7e" + size.to_bytes(2, "big") + payload


async def relay(url: str) -> None:
    """Write what is published, framed once, straight to each socket's transport."""
    async with redis.asyncio.from_url(url) as client, client.pubsub() as pubsub:
        await pubsub.psubscribe(CHANNELS)
        async for message in pubsub.listen():
            if message["type"] == "pmessage":
                frame = framed(message["data"])
                for transport in transports[message["channel"].partition(b".")[2].decode()]:
                    transport.underlying_transport.write(frame)


def accept(_: WSUpgradeRequest) -> Listener:
    """Whoever comes."""
    return Listener()


async def main() -> None:
    """Serve until the process is ended."""
    server = await ws_create_server(
        accept,
        "127.0.0.1",
        int(sys.argv[1]),
        enable_auto_ping=True,
        auto_ping_idle_timeout=HEARTBEAT_S,
        auto_ping_reply_timeout=HEARTBEAT_S,
        # Requests are short: the default of 16 KB a socket would be held for nothing.
        read_buffer_init_size=1024,
        backlog=2048,
    )
    relaying = asyncio.create_task(relay(sys.argv[2]))
    async with server:
        await relaying


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
