"""The newest explanations in Redis, read on the event loop and ready to be shown."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings

from explanations import answers, store
from observability.per_loop import PerLoop
from observability.remembered_reads import RememberedReads
from predictions import rendering
from predictions.compression import Body


class StoredExplanation(NamedTuple):
    """The validator of an explanation, and its JSON."""

    tag: str
    body: Body


async def get(symbol: str, depth: str | None) -> StoredExplanation | None:
    """The newest explanation of `symbol`, of `depth` or of any. Raises `RedisUnavailable`."""
    (found,) = await _reads.current(_make).get([store.key_of(symbol, depth)])
    return found


async def stop_current() -> None:
    """Close the connection of the running event loop."""
    if (reads := _reads.take_away()) is not None:
        await reads.close()


def _decode(key: str, value: bytes) -> StoredExplanation | None:
    document = store.read(*store.subject_of(key), value)
    if document is None:
        return None
    return StoredExplanation(answers.etag(document.job_id), Body(rendering.encode(document)))


def _make() -> RememberedReads[StoredExplanation]:
    outage = store.store().outage
    return RememberedReads(settings.GATEWAY.redis_url, name="hot reads", outage=outage, decode=_decode)


_reads: PerLoop[RememberedReads[StoredExplanation]] = PerLoop()
