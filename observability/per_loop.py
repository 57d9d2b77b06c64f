"""What there is once per event loop: a hub, a limiter, a relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """At most one `T` for each event loop, from its first use until it is taken away."""

    def __init__(self) -> None:
        self._made: dict[asyncio.AbstractEventLoop, T] = {}

    def current(self, make: Callable[[], T]) -> T:
        """That of the running event loop; `make` makes it where there is none yet."""
        loop = asyncio.get_running_loop()
        one = self._made.get(loop)
        if one is None:
            one = self._made[loop] = make()
        return one

    def existing(self) -> T | None:
        """That of the running event loop, if it was made."""
        return self._made.get(asyncio.get_running_loop())

    def take_away(self) -> T | None:
        """That of the running event loop, which has none any more."""
        return self._made.pop(asyncio.get_running_loop(), None)

    def all(self) -> list[T]:
        """Those of every event loop, from any thread."""
        return list(self._made.values())
