"""The loop that the gateway runs on, for tests."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

WITHIN_S = 10.0
"""No test may take longer."""


def on_uvloop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run the test on the loop of the gateway."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        async def within() -> None:
            async with asyncio.timeout(WITHIN_S):
                await test(*arguments, **fixtures)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(within())

    return run
