"""Tasks end, also those that swallow a cancellation."""

from __future__ import annotations

import asyncio
import contextlib

from observability import tasks


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed += 1
        await asyncio.Event().wait()

    async def fail() -> None:
        raise RuntimeError("left in the task")

    async with asyncio.timeout(10):
        running = [asyncio.create_task(one()) for one in (stubborn, fail)]
        await asyncio.sleep(0)
        await tasks.end(running)
    assert swallowed == 1
    assert running[0].cancelled()
    assert isinstance(running[1].exception(), RuntimeError)
    await tasks.end([])
