"""Sockets that follow a symbol through whatever happens, and keep account of what they were told."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.stack import Stack


class Follower:
    """One socket that follows one symbol, and comes back with `since` when it has been cut off."""

    def __init__(self, stack: Stack, symbol: str, *, asks_again: bool, ping_s: float | None = None) -> None:
        self._ping_s = ping_s
        self._stack = stack
        self._asks_again = asks_again
        self._symbol = symbol
        self._place: dict[str, Any] | None = None
        self._socket: ClientConnection | None = None
        self.seqs: list[int] = []
        self.closes = 0
        self.gaps: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self.is_subscribed = asyncio.Event()

    async def follow(self) -> None:
        """Follow for ever."""
        while True:
            with contextlib.suppress(ConnectionClosed, InvalidHandshake, OSError, TimeoutError):
                await self._follow_once()
            self.closes += 1
            await asyncio.sleep(0.1)

    async def cut(self) -> None:
        """Break the connection, as a network would."""
        assert self._socket is not None
        self._socket.transport.abort()

    async def _follow_once(self) -> None:
        headers = {"X-API-Key": self._stack.key}
        async with connect(
            self._stack.socket_url,
            additional_headers=headers,
            ping_interval=self._ping_s,
            ping_timeout=self._ping_s,
            close_timeout=1,
        ) as socket:
            self._socket = socket
            since = {"since": self._place} if self._place else {"snapshot": False}
            await socket.send(json.dumps({"action": "subscribe", "symbols": [self._symbol], **since}))
            async for text in socket:
                frame = json.loads(text)
                self._take(frame)
                if frame["type"] == "gap" and self._asks_again:
                    since = {"since": {"epoch": frame["epoch"], "seq": frame["from"]}}
                    await socket.send(json.dumps({"action": "subscribe", "symbols": [self._symbol], **since}))

    def _take(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "prediction_update":
            self.seqs.append(frame["seq"])
            self._place = {"epoch": frame["epoch"], "seq": frame["seq"]}
        elif frame["type"] == "subscribed":
            self.is_subscribed.set()
        elif frame["type"] == "gap":
            self.gaps.append(frame)
        elif frame["type"] == "error":
            self.errors.append(frame)
        else:
            assert frame["type"] == "welcome", frame

    def is_told_of(self, seq: int) -> bool:
        """True if a gap has said that `seq` was not sent."""
        return any(gap["from"] < seq < gap["to"] for gap in self.gaps)
