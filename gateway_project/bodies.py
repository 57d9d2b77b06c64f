"""Request bodies are received here, at the rim: whole, bounded in size and time, before a thread is taken.

A client that sends its body slowly would otherwise hold one of the few threads that serve Django.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

MAX_BODY_BYTES = 1 << 20
TIMEOUT_S = 10.0

Receive = Callable[[], Awaitable[dict[str, Any]]]


class BodyTooLarge(Exception):
    """More than `MAX_BODY_BYTES`, announced or sent."""


class BodyTooSlow(Exception):
    """Not complete within `TIMEOUT_S`."""


class ClientGone(Exception):
    """The client has disconnected."""


async def receive_whole(scope: dict[str, Any], receive: Receive, *, timeout_s: float = TIMEOUT_S) -> Receive:
    """Read the body; returns a `receive` that gives it at once and then waits for the disconnect."""
    headers = dict(scope["headers"])
    if b"content-length" not in headers and b"transfer-encoding" not in headers:
        return receive
    announced = headers.get(b"content-length", b"0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(timeout_s):
            body = await _read(receive)
    except TimeoutError:
        raise BodyTooSlow from None
    given = False

    async def replay() -> dict[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return b"".join(parts)
