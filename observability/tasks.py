"""Ending tasks of the event loop for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` until all have ended; what they raise is left in them.

    More than once, since before Python 3.12 `asyncio.wait_for`, which libraries use, may swallow a
    cancellation that comes together with its result.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=1.0)
