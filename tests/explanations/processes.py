"""Waiting for processes and for what they do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path


def is_gone(pid: int) -> bool:
    """True when no such process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until(check: Callable[[], bool | Awaitable[bool]], *, timeout_s: float = 60.0) -> None:
    """`tests.stack.eventually` inside of an event loop; `check` may be a coroutine function."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = check()
        if value if isinstance(value, bool) else await value:
            return
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        await asyncio.sleep(0.02)
