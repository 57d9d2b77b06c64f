"""Membership of a process in the channel layer's groups: joined, heard, and joined anew where it is deaf."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from redis.exceptions import RedisError

from observability.outages import Outage
from observability.retries import until_it_works
from realtime import batches, news

_DEAF_AFTER_S = 5.0
"""A bridge beats every second; where there is none, a connection every few seconds costs nobody anything."""


async def join(layer: Any) -> str:
    """Become a member of the groups, waiting for Redis as long as it takes; returns our channel."""
    channel: str = await until_it_works(
        lambda: _enter_groups(layer),
        RedisError,
        OSError,
        outage=Outage("Redis (channel layer)"),
        most_s=2.0,
    )
    return channel


async def hear(layer: Any, channel: str) -> Any | None:
    """The next message; None where nothing has come for long, and the membership has been ended.

    The layer itself connects again where a connection breaks, but does not notice one that is open and dead.
    """
    receiving = asyncio.ensure_future(layer.receive(channel))
    try:
        await asyncio.wait([receiving], timeout=_DEAF_AFTER_S)
        if receiving.done():
            return receiving.result()
        # Before the receiver ends: it would leave the groups over the dead connection.
        await _leave(layer)
        return None
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


async def _enter_groups(layer: Any) -> str:
    try:
        channel: str = await layer.new_channel()
        for group in (batches.GROUP, news.GROUP):
            await layer.group_add(group, channel)
    except (RedisError, OSError):
        # The layer keeps the channel of a failed try.
        await _leave(layer)
        raise
    return channel


async def _leave(layer: Any) -> None:
    """Close the layer's connections and forget its channels; the hub is its only user here."""
    with contextlib.suppress(RedisError, OSError):
        await layer.flush()
