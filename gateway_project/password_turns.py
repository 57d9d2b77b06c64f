"""Passwords are checked one after the other in a process, and who waits for it holds no thread of Django's.

1. Hashing a password takes a quarter of a second of a core, by design, and does so without Python's lock. A
   crowd that logs in together would hash in all of Django's threads, and leave the event loop a sixteenth of
   the cores: nobody would be answered, not even the launcher, which takes such a process for dead.
2. So one is hashed at a time, and the others wait in the event loop, where waiting costs nothing.
3. The queue has an end, and so has waiting in it: nothing is hashed for those who have gone. Who comes too
   late or waits too long is told to come back.
4. The guard of the login counts attempts behind this queue, so one address has a share of its places only.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from gateway_project import routes
from gateway_project.queue_shares import QueueShares, overloaded
from observability.per_loop import PerLoop

ROUTES = frozenset({"auth-login", "admin:login"})
PLACES = 40
PLACES_OF_ONE_ADDRESS = 10
WAIT_S = 15.0

_RETRY_S = 5


class Turns:
    """The queue of one event loop."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._inside = 0
        self._shares = QueueShares(PLACES_OF_ONE_ADDRESS, retry_s=_RETRY_S)

    @contextlib.asynccontextmanager
    async def take(self, address: str) -> AsyncIterator[None]:
        """Wait for the turn of a request from `address`, and have it; raises `Refused`."""
        if self._inside >= PLACES:
            raise overloaded(_RETRY_S)
        with self._shares.hold(address):
            self._inside += 1
            try:
                await self._wait()
                try:
                    yield
                finally:
                    self._turn.release()
            finally:
                self._inside -= 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(WAIT_S):
                await self._turn.acquire()
        except TimeoutError:
            raise overloaded(_RETRY_S) from None


_turns: PerLoop[Turns] = PerLoop()


def take(scope: dict[str, Any]) -> contextlib.AbstractAsyncContextManager[None]:
    """A turn for a request that will check a password; for any other, nothing to wait for."""
    if scope["method"] == "POST" and routes.find(scope["path"]) in ROUTES:
        return _turns.current(Turns).take(scope["client"][0])
    return contextlib.nullcontext()
