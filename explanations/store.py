"""The newest explanations in Redis: ``explanation:{symbol}`` of any depth, ``explanation:{symbol}:{depth}``.

JSON documents, each replaced only by one of a prediction that is not older. I/O only. `StoreUnavailable`
means that Redis did not answer; during an outage most calls fail at once instead of waiting for a time-out.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterable, Sequence

from django.conf import settings

from explanations import documents
from explanations.documents import ExplanationDocument, MalformedDocument
from explanations.models import Computation
from observability.guarded_redis import GuardedRedis
from observability.outages import Outage

logger = logging.getLogger(__name__)

KEY_PREFIX = "explanation:"
TTL_S = 7 * 86_400

# Compares RFC 3339 UTC times as text, the fraction filled up: it is left out where it is zero.
# A value that is not one of our documents is replaced: nobody could read it.
_PUT_UNLESS_OLDER = """
local function moment(text)
  if type(text) ~= 'string' or string.sub(text, -1) ~= 'Z' then return nil end
  local fraction = string.match(text, '%.(%d+)Z$') or ''
  return string.sub(text, 1, 19) .. string.sub(fraction .. '000000000', 1, 9)
end
local function order(text)
  local ok, value = pcall(cjson.decode, text)
  if not ok or type(value) ~= 'table' or type(value.prediction) ~= 'table' then return nil end
  local predicted, generated = moment(value.prediction.timestamp), moment(value.generated_at)
  return predicted and generated and predicted .. generated
end
local current = redis.pcall('GET', KEYS[1])
if type(current) == 'string' then
  local old = order(current)
  if old and old > order(ARGV[1]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""


class StoreUnavailable(Exception):
    """Redis did not answer, or is known to be down right now."""


class ExplanationStore:
    """The store on one Redis. Safe to share between threads."""

    def __init__(self, url: str, *, connections: int) -> None:
        self.outage = Outage("Redis (explanations)")
        self._redis = GuardedRedis(
            url,
            connections=connections,
            outage=self.outage,
            unavailable=StoreUnavailable,
        )
        self._put_unless_older = self._redis.script(_PUT_UNLESS_OLDER)

    def get(self, symbol: str, depth: str | None) -> ExplanationDocument | None:
        """The newest explanation of `symbol`, of `depth` or of any. Raises `StoreUnavailable`."""
        return read(symbol, depth, self._redis.ask(lambda client: client.get(key_of(symbol, depth))))

    def put(self, offered: Iterable[ExplanationDocument]) -> None:
        """Store each unless Redis has one of a newer prediction. Raises `StoreUnavailable`."""
        self._redis.run_for_each(
            self._put_unless_older,
            (
                (key_of(document.symbol, depth), [encoded, TTL_S])
                for document, encoded in ((one, documents.encode(one)) for one in offered)
                for depth in (None, document.depth)
            ),
        )

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()


def key_of(symbol: str, depth: str | None) -> str:
    """The key of the newest explanation of `symbol`, of `depth` or of any."""
    return f"{KEY_PREFIX}{symbol}" if depth is None else f"{KEY_PREFIX}{symbol}:{depth}"


def subject_of(key: str) -> tuple[str, str | None]:
    """Symbol and depth of a `key_of`; a symbol has no colon."""
    symbol, _, depth = key.removeprefix(KEY_PREFIX).partition(":")
    return symbol, depth or None


def put(done: Sequence[Computation]) -> None:
    """Offer finished computations to this process's store. Raises `StoreUnavailable`."""
    store().put(map(document_of, done))


def document_of(done: Computation) -> ExplanationDocument:
    """The document of a computation that is done."""
    if done.result is None or done.finished_at is None:
        raise ValueError(f"computation {done.pk} is {done.state}")
    return documents.make(
        job_id=done.pk, generated_at=done.finished_at, result=done.result, prediction=done.prediction
    )


def read(symbol: str, depth: str | None, value: bytes | str | None) -> ExplanationDocument | None:
    """The document in `value`; one that cannot be read or is of something else counts as missing."""
    if value is None:
        return None
    try:
        document = documents.decode(value)
    except MalformedDocument as error:
        logger.warning("ignoring %s in Redis: %s", key_of(symbol, depth), error)
        return None
    return document if document.symbol == symbol and depth in (None, document.depth) else None


_making = threading.Lock()


@functools.cache
def _make_store() -> ExplanationStore:
    config = settings.GATEWAY
    return ExplanationStore(config.redis_url, connections=config.worker_threads + 4)


def store() -> ExplanationStore:
    """This process's store, made at first use."""
    with _making:
        return _make_store()
