"""The newest value of each symbol in Redis: ``pred:{symbol}``, a JSON document, replaced only by a newer one.

I/O only. `NewestUnavailable` means that Redis did not answer; during an outage most calls fail at once
instead of waiting for a time-out (see `observability.outages`).
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterable, Sequence

from django.conf import settings

from observability.guarded_redis import GuardedRedis
from observability.outages import Outage
from predictions import documents
from predictions.documents import MalformedDocument, PredictionDocument

logger = logging.getLogger(__name__)

KEY_PREFIX = "pred:"

# Compares RFC 3339 UTC times by whole seconds and then by fraction, which is left out when it is zero.
# A value that is not one of our documents is replaced: nobody could read it.
_PUT_IF_NEWER = """
local function order(text)
  local ok, value = pcall(cjson.decode, text)
  if not ok or type(value) ~= 'table' or type(value.timestamp) ~= 'string'
     or string.sub(value.timestamp, -1) ~= 'Z' then return nil end
  local fraction = string.match(value.timestamp, '%.(%d+)Z$') or ''
  return string.sub(value.timestamp, 1, 19) .. string.sub(fraction .. '000000000', 1, 9),
         tonumber(value.seq) or 0
end
local current = redis.pcall('GET', KEYS[1])
if type(current) == 'string' then
  local old_time, old_seq = order(current)
  local new_time, new_seq = order(ARGV[1])
  if old_time and (old_time > new_time or (old_time == new_time and old_seq > new_seq)) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


class NewestUnavailable(Exception):
    """Redis did not answer, or is known to be down right now."""


class NewestStore:
    """The store on one Redis. Safe to share between threads."""

    def __init__(self, url: str, *, connections: int, ttl_s: int) -> None:
        self.outage = Outage("Redis (newest values)")
        self._redis = GuardedRedis(
            url,
            connections=connections,
            outage=self.outage,
            unavailable=NewestUnavailable,
        )
        self._ttl_s = ttl_s
        self._put_if_newer = self._redis.script(_PUT_IF_NEWER)

    def get_many(self, symbols: Sequence[str]) -> dict[str, PredictionDocument]:
        """The documents of those symbols that have one, by one MGET. Raises `NewestUnavailable`."""
        values = self._redis.ask(lambda client: client.mget([KEY_PREFIX + symbol for symbol in symbols]))
        found = {}
        for symbol, value in zip(symbols, values, strict=True):
            document = read(symbol, value)
            if document is not None:
                found[symbol] = document
        return found

    def put_if_newer(self, offered: Iterable[PredictionDocument]) -> None:
        """Store each document unless Redis has a newer one of its symbol. Raises `NewestUnavailable`."""
        self._redis.run_for_each(
            self._put_if_newer,
            ((KEY_PREFIX + one.symbol, [documents.encode(one), self._ttl_s]) for one in offered),
        )

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()


def read(symbol: str, value: bytes | str | None) -> PredictionDocument | None:
    """The document in `value`; one that cannot be read or is another symbol's counts as missing."""
    if value is None:
        return None
    try:
        document = documents.decode(value)
    except MalformedDocument as error:
        logger.warning("ignoring %s%s in Redis: %s", KEY_PREFIX, symbol, error)
        return None
    return document if document.symbol == symbol else None


_making = threading.Lock()


@functools.cache
def _make_store() -> NewestStore:
    config = settings.GATEWAY
    return NewestStore(config.redis_url, connections=config.worker_threads + 4, ttl_s=config.newest_ttl_s)


def store() -> NewestStore:
    """This process's store, made at first use."""
    with _making:
        return _make_store()
