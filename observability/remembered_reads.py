"""Values in Redis read on the event loop: all reads of one turn of it share one write.

What has not changed since it was read last is not decoded again. Bounded: beyond `_MOST` keys all is
forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from observability.outages import Outage
from observability.redis_link import RedisLink, RedisRefused, RedisUnavailable

T = TypeVar("T")

_MOST = 10_000


class RememberedReads(Generic[T]):
    """Reads of one kind of value; `decode` makes it of key and bytes, None of what cannot be read.

    `outage` is that of the store which threads read the same values from: whichever meets a Redis that is
    away, the other does not wait for it as well. Lives in one event loop.
    """

    def __init__(
        self, url: str, *, name: str, outage: Outage, decode: Callable[[str, bytes], T | None]
    ) -> None:
        self._link = RedisLink(url, name=name, outage=outage)
        self._decode = decode
        self._seen: dict[str, tuple[bytes, T | None]] = {}

    async def get(self, keys: Sequence[str]) -> list[T | None]:
        """The value of each key; raises `RedisUnavailable`."""
        try:
            found = await self._link.call("MGET", *keys)
        except RedisRefused as refused:
            raise RedisUnavailable(str(refused)) from refused
        return [self._read(key, value) for key, value in zip(keys, found, strict=True)]

    async def close(self) -> None:
        """Close the connection."""
        await self._link.close()

    def _read(self, key: str, value: bytes | None) -> T | None:
        if value is None:
            return None
        seen = self._seen.get(key)
        if seen is not None and seen[0] == value:
            return seen[1]
        decoded = self._decode(key, value)
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[key] = value, decoded
        return decoded
