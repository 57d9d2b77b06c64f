"""Blocking calls on behalf of the event loop: a few threads, so that no coroutine touches the database."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT_S = 5.0

_pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="blocking")


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call `function` in the pool and give its database connection back afterwards.

    Raises `TimeoutError` after `TIMEOUT_S`: a store that hangs must not hold up its caller.
    """
    call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
    loop = asyncio.get_running_loop()
    # Not `wait_for`: before Python 3.12 it swallows a cancellation that comes together with the result.
    async with asyncio.timeout(TIMEOUT_S):
        return await loop.run_in_executor(_pool, with_connection_returned, call)


def with_connection_returned(call: Callable[[], T]) -> T:
    """Make the call, and give the database connection of this thread back whatever comes of it."""
    try:
        return call()
    finally:
        close_old_connections()
