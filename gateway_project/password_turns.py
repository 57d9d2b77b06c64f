"""Passwords are checked one after the other in a process, and who waits for it holds no thread of Django's.

1. Hashing a password takes half a second of a core, by design, and does so without Python's lock. A crowd
   that logs in together would hash in all of Django's threads, and leave the event loop a sixteenth of the
   cores: nobody would be answered, not even the launcher, which takes such a process for dead.
2. So one is hashed at a time, and the others wait in the event loop, where waiting costs nothing.
3. The queue has an end: who comes later than that is told to come back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from gateway_project import routes
from gateway_project.admission import Refused
from observability.per_loop import PerLoop

ROUTES = frozenset({"auth-login", "admin:login"})
PLACES = 40
"""About twenty seconds' worth."""

_RETRY_S = 5


class Turns:
    """The queue of one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._inside = 0

    @contextlib.asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """Wait for the turn, and have it; raises `Refused`."""
        if self._inside >= PLACES:
            raise Refused("OVERLOADED", headers=[("Retry-After", str(_RETRY_S))], retry_after=_RETRY_S)
        self._inside += 1
        try:
            async with self._turn:
                yield
        finally:
            self._inside -= 1


_turns: PerLoop[Turns] = PerLoop()


def take(scope: dict[str, Any]) -> contextlib.AbstractAsyncContextManager[None]:
    """A turn for a request that will check a password; for any other, nothing to wait for."""
    if scope["method"] == "POST" and routes.find(scope["path"]) in ROUTES:
        return _turns.current(Turns).take()
    return contextlib.nullcontext()
