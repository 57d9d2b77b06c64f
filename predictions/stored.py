"""The newest values in Redis, read on the event loop and ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings

from observability.per_loop import PerLoop
from observability.remembered_reads import RememberedReads
from predictions import newest
from predictions.answers import Shown
from predictions.documents import PredictionDocument


class StoredValue:
    """A value as Redis holds it."""

    __slots__ = ("_full", "_lean", "document")

    def __init__(self, document: PredictionDocument) -> None:
        self.document = document
        self._lean: Shown | None = None
        self._full: Shown | None = None

    def shown(self, *, include_features: bool) -> Shown:
        """The value ready to be shown."""
        if include_features:
            self._full = self._full or Shown(self.document, include_features=True)
            return self._full
        self._lean = self._lean or Shown(self.document, include_features=False)
        return self._lean


async def get(symbols: Sequence[str]) -> dict[str, StoredValue]:
    """The values of those symbols that have one, by one MGET. Raises `RedisUnavailable`."""
    found = await _reads.current(_make).get([newest.KEY_PREFIX + symbol for symbol in symbols])
    return {symbol: value for symbol, value in zip(symbols, found, strict=True) if value is not None}


async def stop_current() -> None:
    """Close the connection of the running event loop."""
    if (reads := _reads.take_away()) is not None:
        await reads.close()


def _decode(key: str, value: bytes) -> StoredValue | None:
    document = newest.read(key.removeprefix(newest.KEY_PREFIX), value)
    return None if document is None else StoredValue(document)


def _make() -> RememberedReads[StoredValue]:
    outage = newest.store().outage
    return RememberedReads(settings.GATEWAY.redis_url, name="hot reads", outage=outage, decode=_decode)


_reads: PerLoop[RememberedReads[StoredValue]] = PerLoop()
