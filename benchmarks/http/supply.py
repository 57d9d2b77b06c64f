"""Where predictions come from: NATS, and a bridge that writes them to the database and to Redis.

The gateway's hot reads trust their own memory only while a bridge beats, so it runs through the whole
scenario, and a few updates come in while loads are measured. The peers read what the bridge writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from benchmarks.side_by_side import processes
from benchmarks.side_by_side.feeder import Fed
from benchmarks.side_by_side.feeding import Feeder, feeding
from benchmarks.side_by_side.ground import ROOT, Ground
from predictions import documents

_FILL_PER_S = 500.0
_STORED_WITHIN_S = 60.0


class NotStored(Exception):
    """The bridge has not written in time what was published."""


@dataclass(frozen=True, slots=True)
class Supply:
    """A bridge and a feeder at work; every symbol has its predictions."""

    feeder: Feeder
    pids: dict[str, int]

    async def trickle(self, rate: float, seconds: float) -> None:
        """Publish `rate` updates a second, for `seconds`."""
        if rate * seconds >= 1:
            await self.feeder.feed(rate, seconds)


@contextlib.asynccontextmanager
async def supplying(
    ground: Ground, symbols: Sequence[str], *, updated: Sequence[str], depth: int = 1
) -> AsyncIterator[Supply]:
    """Publish `depth` predictions of each of `symbols`; later updates are of those in `updated`."""
    command = [sys.executable, str(ROOT / "manage.py"), "nats_bridge"]
    with contextlib.ExitStack() as stack:
        bridge = stack.enter_context(processes.running(command, environ=ground.environ, log=ground.log))
        stack.enter_context(ground.telling_why())
        async with feeding("stream", symbols, times=ground.times, environ=ground.environ) as feeder:
            fed = await feeder.feed(_FILL_PER_S, depth * len(symbols) / _FILL_PER_S)
        await _until_stored(ground, symbols, fed)
        async with feeding("stream", updated, times=ground.times, environ=ground.environ) as feeder:
            yield Supply(feeder, {"bridge": bridge, "feeder": feeder.pid})


async def _until_stored(ground: Ground, symbols: Sequence[str], fed: Fed) -> None:
    """Wait for the last update of every symbol to be in Redis; the database has it by then."""
    deadline = time.monotonic() + _STORED_WITHIN_S
    async with Redis.from_url(ground.redis_url) as client:
        while True:
            values = await client.mget([f"pred:{symbol}" for symbol in symbols])
            stored = [documents.decode(value).seq or 0 for value in values if value is not None]
            if len(stored) == len(symbols) and min(stored) > fed.last - len(symbols):
                return
            if time.monotonic() > deadline:
                raise NotStored
            await asyncio.sleep(0.05)
