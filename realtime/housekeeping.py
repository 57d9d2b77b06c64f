"""Closing sockets that nobody uses, and all of them in good order when the process ends."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING

from realtime.protocol.codes import Close, Code
from realtime.protocol.limits import IDLE_S

if TYPE_CHECKING:
    from realtime.hub import Hub

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 10.0
_LAG_PERIOD_S = 60.0
_CLOSES_PER_S = 1_000
_STEP_S = 0.02


async def close_idle_for_ever(hub: Hub) -> None:
    """Look every few seconds for sockets without a subscription that have said nothing for `IDLE_S`.

    And let the histogram of the lag forget what is long ago.
    """
    turned_at = hub.alarms.now()
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        now = hub.alarms.now()
        close_idle(hub, now=now)
        if now - turned_at >= _LAG_PERIOD_S:
            turned_at = now
            hub.lag.turn()


def close_idle(hub: Hub, *, now: float) -> None:
    """Close those that are idle at `now`."""
    for connection in list(hub.connections.values()):
        is_used = connection.symbols or hub.watching.has_watches(connection)
        if not is_used and now - connection.heard_at >= IDLE_S:
            connection.refuse(Code.IDLE, "Nothing was asked for 5 minutes.", Close.TIMEOUT)


async def drain(hub: Hub, *, within_s: float) -> None:
    """Close every socket with 1012, in random order, `_CLOSES_PER_S` or what `within_s` demands.

    All at once would come back all at once. Those who are not closed yet get their updates until then.
    """
    connections = list(hub.connections.values())
    random.shuffle(connections)
    if connections:
        logger.info("closing %d sockets", len(connections))
    steps = max(1, int(min(within_s, len(connections) / _CLOSES_PER_S) / _STEP_S))
    for step in range(steps):
        for connection in connections[step::steps]:
            connection.close(Close.RESTART)
        if step + 1 < steps:
            await asyncio.sleep(_STEP_S)
