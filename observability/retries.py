"""Repeating a call until the dependency behind it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from observability import backoff
from observability.outages import Outage

T = TypeVar("T")


async def until_it_works(
    call: Callable[[], Awaitable[T]],
    *failures: type[Exception],
    outage: Outage | None = None,
    most_s: float = 1.0,
) -> T:
    """Repeat `call`, which must be safe to repeat, while it raises one of `failures`.

    Waits with backoff, at most `most_s` seconds between tries; `outage` logs the begin and the end.
    """
    attempt = 0
    while True:
        try:
            result = await call()
        except failures as error:
            attempt += 1
            if outage is not None:
                outage.failed(error)
            await asyncio.sleep(backoff.delay_s(attempt, most_s=most_s))
        else:
            if outage is not None:
                outage.succeeded()
            return result
